"""The paper's numbers are those of the tables: made-up ones go in, and its words are read back from Typst."""

import itertools
import json
import re

import pytest
import typst
from matplotlib.figure import Figure

from study.experiments import tables
from study.ground import paths

# Numbers that the text may hold by itself: the t-interval, Holm's level in both ways, the report's score and rates, a
# share's whole, CIFAR's images, pixels inside the network, SSIM's constants, an example of a score, what is
# equal to two digits, and bits a pixel.
FACTS = {"95~%", "5~%", "98~%", "0.01", "0.001", "100~%", "100,000", "0.5", "0.03", "0.95", "0.005", "0.25", "0.05"}
RESULT = re.compile(
    r"\d[\d.,]*(?:[~\s]?dB|[~\s]%)|(?<![×\d])\d+[~\s](?:runs?|seeds?|epochs?|steps|images)\b"
    r"|\b\d{1,3}(?:,\d{3})+|\b\d+\.\d+(?!\d|em|pt|in)"
)
STUDIES = {"batch_size": (16, 64), "train_size": (300, 1500), "loss": ("ms_ssim", "l1")}


def make(output, preset, data, width, seeds, psnr, diverged=False):
    """Tables whose runs end with a PSNR of `psnr` plus the seed, and blank figures: the options to print them with."""
    made = {name: [] for name in tables.SCHEMA}

    def add(name, values):  # what is not said is 1
        made[name].append([values.get(column, 1) for column in tables.SCHEMA[name]])

    settings = [(study, value) for study, values in STUDIES.items() for value in values]
    for (study, value), seed in itertools.product(settings, range(seeds)):
        lost = diverged and value == "l1"
        run = {"study": study, "run": f"{value}-seed-{seed}", "seed": seed, "data": data, "width": width}
        run |= {"batch_size": 64, "train_size": 300, "loss": "ms_ssim", "learning_rate": 0.005, study: value}
        run |= {"mean_image_psnr": 11.125, "seconds": 90, "status": "diverged" if lost else "done"}
        add("runs", run)
        for epoch in (1, 2):
            for split in ("training", "validation"):
                score = {"psnr": "nan" if lost else psnr * epoch / 2 + seed, "bpp": 0.125}
                add("history", run | score | {"epoch": epoch, "split": split})
    for (study, value), split, score in itertools.product(settings, ("training", "validation"), tables.SUMMED):
        mean = "nan" if diverged and value == "l1" else psnr + (seeds - 1) / 2
        high = "nan" if seeds == 1 or mean == "nan" else mean + 2.484
        row = {"study": study, "setting": value, "split": split, "score": score}
        add("summary", row | {"mean": mean, "low": high, "high": high, "n": seeds})
    for split, images in (("train", 1234), ("validation", 56)):
        add("data", {"data": data, "split": split, "images": images, "fingerprint": "0" * 64})
    for network, parameters in (("this study", 30_225_283), ("report's code", 987_654_321)):
        add("networks", {"network": network, "parameters": parameters})
    for choice in ("better", "poorer"):
        add("samples", {"run": "16-seed-0", "choice": choice})
    for kind in ("results", "figures"):
        (output / kind / preset).mkdir(parents=True)
    for name, rows in made.items():
        lines = [",".join(map(str, line)) + "\n" for line in (tables.SCHEMA[name], *rows)]
        (output / "results" / preset / f"{name}.csv").write_text("".join(lines), encoding="utf-8")
    for number in range(1, 11):
        Figure((2, 1)).savefig(output / "figures" / preset / f"figure_{number}.pdf")
    return {"root": "/", "sys_inputs": {"preset": preset, "output": str(output)}, "ignore_system_fonts": True}


def text(options):
    """The words of the paper's paragraphs, captions and tables, as Typst has them after its code has run."""

    def words(node):
        if isinstance(node, list):
            return "".join(map(words, node))
        if not isinstance(node, dict):
            return ""
        known = {"space": " ", "smartquote": "'"}.get(node.get("func"))
        return known or (node["text"] if isinstance(node.get("text"), str) else " ".join(map(words, node.values())))

    found = [json.loads(typst.query(str(paths.PAPER_SOURCE), kind, **options)) for kind in ("par", "figure")]
    return re.sub(r"\s+", " ", words(found))


def test_paper_is_of_its_preset(tmp_path):
    laptop = text(make(tmp_path, "laptop", "photographs", 0.125, seeds=1, psnr=17.25))
    excerpt = text(make(tmp_path, "excerpt", "excerpt", 0.25, seeds=3, psnr=19.5))
    own = ("photographs that scikit-image ships", "1/8 of its channels", "17.25", "Each setting has one seed")
    others = ("an excerpt of CIFAR-10", "1/4 of its channels", "20.50", "±2.48", "Each setting has 3 seeds")
    for here, there, says in ((laptop, excerpt, own), (excerpt, laptop, others)):
        assert not [words for words in says if words not in here or words in there]
        assert not [words for words in ("1,234 training", "987,654,321", "11.13 dB") if words not in here]


@pytest.mark.parametrize("seeds", [1, 2])
def test_diverged_runs_are_said(tmp_path, seeds):
    said = text(make(tmp_path, "laptop", "photographs", 0.125, seeds, psnr=17.25, diverged=True))
    assert f"{5 * seeds} done, 0 collapsed" in said and f"{seeds} diverged" in said and "n/a" in said


def test_same_tables_give_the_same_file(tmp_path):
    options = make(tmp_path, "laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    one, other = (typst.compile(str(paths.PAPER_SOURCE), **options) for _ in range(2))
    assert one.startswith(b"%PDF") and one == other


def test_no_result_is_written_into_the_text():
    assert len(RESULT.findall("17.4~dB, 9,453 tiles, 5 % of it, 13 runs, a score of 0.95, 2em, 0.5em")) == 5
    source = re.sub(r"//.*", "", paths.PAPER_SOURCE.read_text(encoding="utf-8"))
    assert set(RESULT.findall(source)) == FACTS
