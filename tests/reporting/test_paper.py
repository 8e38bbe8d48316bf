"""The paper's numbers are those of the tables: made-up ones go in, and its words are read back from Typst."""

import csv
import itertools
import json
import re
import statistics
import subprocess
from dataclasses import asdict

import pandas as pd
import pytest
import typst
from matplotlib.figure import Figure

from study.experiments import tables
from study.experiments.runs import Run
from study.experiments.studies import STUDIES, Study
from study.ground import atomic, paths
from study.ground.errors import StudyError
from study.reporting import figures, numbers_of_studies, paper
from study.reporting.written import count, duration, fixed, fraction, interval, listed

# Numbers that the text may hold by itself: the t-interval, Holm's level in both ways, a share's whole, the report's
# rates, pixels inside the network, SSIM's constants, and an example of a score.
FACTS = {"95~%", "5~%", "100~%", "0.01", "0.001", "0.5", "0.03", "0.95"}
RESULT = re.compile(
    r"\d[\d.,]*(?:[~\s]?dB|[~\s]%)|(?<![×\d])\d+[~\s](?:runs?|seeds?|epochs?|steps|images)\b"
    r"|\b\d{1,3}(?:,\d{3})+|\b\d+\.\d+(?!\d|em|pt|in)"
)
BASE = {"batch_size": 64, "train_size": 300, "loss": "ms_ssim"}
SETTINGS = {  # one of them stands in all three studies
    "batch_size train_size loss": {},
    "batch_size": {"batch_size": 16},
    "train_size": {"train_size": 1500},
    "loss": {"loss": "l1"},
}


def make(preset, data, width, seeds, psnr, diverged=False, more=()):
    """Tables whose runs end with a PSNR of `psnr` plus the seed, 90 s each, and blank figures.

    Args:
        diverged: whether the runs with L1 have.
        more: further settings, each the studies that ask for it and fields of its runs.
    """
    made = {name: [] for name in tables.SCHEMA}

    def add(name, **values):  # what is not said is 1
        made[name].append([values.get(column, 1) for column in tables.SCHEMA[name]])

    for (studies, setting), seed in itertools.product((*SETTINGS.items(), *more), range(seeds)):
        run = Run(**{"data": data, "epochs": 2, "seed": seed, "width": width} | BASE | setting)
        lost = diverged and run.loss == "l1"
        facts = asdict(run) | {"preset": preset, "run": run.id, "status": "diverged" if lost else "done"}
        add("runs", **facts, studies=studies, mean_image_psnr=11.125, seconds=90)
        for epoch, split in itertools.product((1, 2), ("training", "validation")):
            score = "nan" if lost else psnr * epoch / 2 + seed
            add("history", **facts, psnr=score, ms_ssim=0.5 + seed / 10, bpp=0.125, epoch=epoch, split=split)
    for split, images in (("train", 1234), ("validation", 56)):
        add("data", data=data, split=split, images=images, fingerprint="ab" * 32)
    for network, parameters in (("this study", 30_225_283), ("report's code", 987_654_321)):
        add("networks", network=network, parameters=parameters)
    for choice in ("better", "poorer"):
        add("samples", run=made["runs"][0][1], choice=choice)
    words = {"claim": "rotation_helps", "place": "III.B", "wording": "Rotation helps.", "unit": "MS-SSIM"}
    add("claims", **words, verdict="holds", estimate=0.25, low=0.125, high=0.5, n=5, over="seeds")
    for name in ("edges", "architecture", "loss_samples"):
        add(name)
    for name, rows in made.items():
        text = pd.DataFrame(rows, columns=tables.SCHEMA[name]).to_csv(index=False)
        atomic.write(tables.path(preset, name), text.encode())
    paths.figures(preset).mkdir(parents=True)
    for name in figures.names(preset):
        Figure((2, 1)).savefig(paths.figures(preset) / f"{name}.pdf")


def printed(preset):
    """The words of the printed paper's paragraphs, captions and tables, as Typst has them after its code has run."""

    def words(node):
        if isinstance(node, list):
            return "".join(map(words, node))
        if not isinstance(node, dict):
            return ""
        known = {"space": " ", "smartquote": "'", "linebreak": " "}.get(node.get("func"))
        return known or (node["text"] if isinstance(node.get("text"), str) else " ".join(map(words, node.values())))

    options = paper.options(preset, paper.print_pdf(preset).with_name("values.json"))
    found = [json.loads(typst.query(str(paths.PAPER_SOURCE), kind, **options)) for kind in ("par", "figure")]
    return re.sub(r"\s+", " ", words(found))


def test_paper_is_of_its_preset(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    make("excerpt", "excerpt", 0.25, seeds=3, psnr=19.5)
    laptop, excerpt = printed("laptop"), printed("excerpt")
    own = ("photographs that scikit-image ships", "1/8 of its channels", "17.25", "Each setting has one seed")
    # The mean of 19.5, 20.5, 21.5, and half of its interval: 4.303 (t of two degrees of freedom) / √3.
    others = ("an excerpt of CIFAR-10", "1/4 of its channels", "20.50 ±2.48", "Each setting has 3 seeds")
    for here, there, says in ((laptop, excerpt, own), (excerpt, laptop, others)):
        assert not [words for words in says if words not in here or words in there]
        assert not [words for words in ("1,234 training", "987,654,321", "11.13 dB") if words not in here]


def test_all_of_cifar_is_not_called_few(output):
    make("cifar", "cifar", 0.25, seeds=2, psnr=17.25)
    table = pd.read_csv(tables.path("cifar", "data")).assign(images=[99_920, 19_977])
    atomic.write(tables.path("cifar", "data"), table.to_csv(index=False).encode())
    said = printed("cifar")
    assert "CIFAR-10 and CIFAR-100, but for 103 images" in said and "They are few" not in said
    assert "with a wider network" in said and "with more images" not in said


def test_a_setting_that_several_studies_ask_for_is_one_training(output):
    make("laptop", "photographs", 0.125, seeds=2, psnr=17.25)
    said = printed("laptop")
    assert "8 runs in 4 settings" in said and "ask for was trained once" in said
    assert "took 12 min in all" in said  # eight runs of 90 s
    assert len(re.findall(r"\b0[346] 2 2 4 6 min", said)) == 3  # notebook, settings, seeds, runs and time of each study


def test_a_setting_of_one_study_alone_is_not_called_shared(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    rows = pd.read_csv(tables.path("laptop", "runs"))
    atomic.write(
        tables.path("laptop", "runs"),
        rows.replace({"studies": {next(iter(SETTINGS)): "loss"}}).to_csv(index=False).encode(),
    )
    assert "trained once" not in printed("laptop").replace("Each setting was trained once", "")


@pytest.mark.parametrize("seeds", [1, 2])
def test_diverged_runs_are_said(output, seeds):
    make("laptop", "photographs", 0.125, seeds, psnr=17.25, diverged=True)
    said = printed("laptop")
    assert f"{3 * seeds} are done, 0 collapsed and {seeds} diverged" in said and "n/a" in said
    assert "L1 in our way has no score (diverged)" in said


def test_claims_are_said_with_their_interval_and_the_rule_of_their_verdicts(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    said = printed("laptop")
    assert "Rotation adds 0.250 [0.125, 0.500] to the MS-SSIM" in said
    assert "the probability of one or more false verdicts is at most 5 %" in said
    assert "Of 1 claims 1 hold and 0 do not" in said


def test_a_new_study_is_among_the_runs_and_shown_with_its_question(output, monkeypatch):
    question = "Which rate suits a sloth?"
    study = Study("sloth", question, "77_sloth", ("learning_rate",), lambda p: [], {}, figures=("psnr", "ends"))
    monkeypatch.setitem(STUDIES, "sloth", study)
    rates = [("sloth", {"learning_rate": rate, "steps": steps}) for rate, steps in ((0.25, 7), (0.125, 9))]
    make("laptop", "photographs", 0.125, seeds=3, psnr=17.25, more=rates)
    said = printed("laptop")
    assert "18 runs in 6 settings" in said
    assert f"sloth {question} 77 2 3 6 9 min" in said
    assert said.count(question) == 4  # in the table, as heading, and as caption of both figures
    assert "2 settings with 3 seeds each" in said and "18.25 dB, with learning rate 0.25" in said


def test_a_comparison_of_studies_is_left_out_where_there_is_only_one(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    assert "batch_size_protocols" not in paper.values("laptop")["figures"]
    equal = [("equal_steps", {"batch_size": n, "steps": 10}) for n in (16, 64)]
    make("excerpt", "excerpt", 0.25, seeds=1, psnr=17.25, more=equal)
    assert "batch_size_protocols" in paper.values("excerpt")["figures"]
    assert "4 times as many images with a batch of 64 as with one of 16" in printed("excerpt")


def test_the_text_places_the_figures_that_are_said_to_be_placed():
    of_any_study = {f"{study.name}_{kind}" for study in STUDIES.values() for kind in figures.OF_ANY_STUDY}
    placed = of_any_study.intersection(re.findall(r'drawn\("(\w+)"', source())) - figures.OF_ONE_STUDY.keys()
    assert placed == set(numbers_of_studies.PLACED)


def test_values_are_words_alone(output):
    """Text, and whether something is so: Typst has no number to write out."""

    def leaves(values):
        if not isinstance(values, dict | list):
            return [values]
        return itertools.chain(*map(leaves, values.values() if isinstance(values, dict) else values))

    make("laptop", "photographs", 0.125, seeds=2, psnr=17.25)
    make("excerpt", "excerpt", 0.25, seeds=1, psnr=17.25)
    for preset in ("laptop", "excerpt"):
        file = paper.print_pdf(preset).with_name("values.json")
        assert {type(value) for value in leaves(json.loads(file.read_text()))} <= {str, bool, type(None)}


def test_same_tables_give_the_same_files(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    contents = []
    for _ in range(2):
        pdf = paper.print_pdf("laptop")
        contents.append([pdf.read_bytes(), pdf.with_name("values.json").read_bytes()])
    assert contents[0][0].startswith(b"%PDF") and contents[0] == contents[1]


def test_git_tracks_the_published_paper_alone(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    make("excerpt", "excerpt", 0.25, seeds=1, psnr=17.25)
    names = [str(paper.print_pdf(preset).relative_to(output)) for preset in ("laptop", "excerpt")]
    assert names == ["paper/laptop/report.pdf", "paper/report.pdf"]
    files = sorted(str(path.relative_to(output)) for path in (output / "paper").rglob("*") if path.is_file())
    if not (paths.ROOT / ".git").exists():
        pytest.skip("not a clone")
    command = ["git", "-C", str(paths.ROOT), "check-ignore", "--no-index", *files]
    ignored = subprocess.run(command, capture_output=True, text=True).stdout.split()
    assert set(files) - set(ignored) == {"paper/report.pdf"}


def test_what_is_missing_is_said(output):
    make("laptop", "photographs", 0.125, seeds=1, psnr=17.25)
    (paths.figures("laptop") / "edges.pdf").unlink()
    with pytest.raises(StudyError, match="lacks the figures edges"):
        paper.print_pdf("laptop")
    for name in ("runs", "history"):
        rows = pd.read_csv(tables.path("laptop", name))
        atomic.write(tables.path("laptop", name), rows[rows.loss != "l1"].to_csv(index=False).encode())
    table = pd.read_csv(tables.path("laptop", "runs")).replace({"studies": {next(iter(SETTINGS)): "batch_size"}})
    atomic.write(tables.path("laptop", "runs"), table.to_csv(index=False).encode())
    with pytest.raises(StudyError, match="no run with a score of the studies loss"):
        paper.print_pdf("laptop")
    tables.path("laptop", "history").unlink()
    with pytest.raises(StudyError, match="history.csv is not there"):
        paper.print_pdf("laptop")


def source():
    """The words and the form of the paper, without comments."""
    files = (paths.PAPER_SOURCE, paths.PAPER_SOURCE.with_name("form.typ"))
    return "".join(re.sub(r"//.*", "", file.read_text(encoding="utf-8")) for file in files)


def test_no_result_is_written_into_the_text():
    assert len(RESULT.findall("17.4~dB, 9,453 tiles, 5 % of it, 13 runs, a score of 0.95, 2em, 0.5em")) == 5
    assert set(RESULT.findall(source())) == FACTS


def test_the_text_is_no_program():
    """Numbers and tables are Python's; Typst neither computes nor reads a table nor turns text into numbers."""
    assert (
        re.findall(r"calc\.|\bcsv\(|\bread\(|\bfloat\(|\bint\(|regex\(|\.sum\(|\.sorted\(|\.filter\(", source()) == []
    )


def read(preset, name):
    with tables.path(preset, name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_published_numbers_are_those_of_the_tables():
    """The same from the tracked tables by Python's own reader and mean."""
    csv.field_size_limit(10**9)
    values, runs = paper.values("excerpt"), read("excerpt", "runs")
    assert values["runs"]["all"] == f"{len(runs)} runs" and values["runs"]["done"] == str(len(runs))
    asked = {row["run"]: row["studies"].split() for row in runs}
    scores = {}
    for row in read("excerpt", "history"):
        last = (row["split"], row["epoch"]) == ("validation", row["epochs"])
        if last and "batch_size" in asked[row["run"]]:
            scores.setdefault(int(row["batch_size"]), []).append(float(row["psnr"]))
    means = {size: statistics.fmean(psnr) for size, psnr in scores.items()}
    found = values["batch_size"]
    assert found["range"] == f"from {min(means.values()):.2f} to {max(means.values()):.2f}\u00a0dB"
    assert found["psnr_at"] == str(max(means, key=means.get)) and found["large"] == f"{max(means):,}"
    assert [row["psnr"]["mean"] for row in found["rows"]] == [f"{means[size]:.2f}" for size in sorted(means)]
    seconds = {study["name"].replace(" ", "_"): study["time"] for study in values["studies"]}
    hours = sum(float(row["seconds"]) for row in runs if "passes" in row["studies"].split()) / 3600
    assert seconds["passes"] == f"{hours:.1f}\u00a0h"
    gru = next(row for row in read("excerpt", "claims") if row["claim"] == "gru_better_at_1_pass")
    bounds = ", ".join(f"{float(gru[bound]):.3f}".replace("-", "−") for bound in ("low", "high"))
    assert values["claims"]["estimates"]["gru_better_at_1_pass"] == f"{float(gru['estimate']):.3f} [{bounds}]"


def test_the_codecs_numbers_are_those_of_the_published_tables():
    rates = {tuple(row[name] for name in ("codec", "quantity", "against")): row for row in read("codec", "rates")}
    found = paper.values("excerpt")["shipped"]
    for codec in found["codecs"]:
        name = codec["name"].lower()
        assert codec["top"] == f"{float(rates[name, 'top_psnr', '']['value']):.2f}\u00a0dB"
        for beside in codec["beside"]:
            more = float(rates[name, "bd_psnr", beside["than"]]["value"])
            assert beside["by"] == f"{abs(more):.0f}\u00a0%" and beside["way"] == ("larger" if more > 0 else "smaller")
    unpublished = {row["codec"]: row["cells"][0] for row in found["rows"]}
    assert unpublished["JPEG 4:4:4"] == "–" and "Toderici 2017" not in unpublished


@pytest.mark.parametrize(
    "text, expected",
    [
        (fixed(-1024.5, 2), "−1,024.50"),
        (fixed(-0.0001, 2), "0.00"),
        (fixed(0.6615, 3), "0.662"),  # whose float is a little less than the half
        (fixed(float("nan"), 2), "n/a"),
        (count(970143792), "970,143,792"),
        (duration(119), "119\u00a0s"),
        (duration(7199), "120\u00a0min"),
        (duration(7200), "2.0\u00a0h"),
        (fraction(0.125), "1/8"),
        (fraction(1.0), "1"),
        (fraction(0.3), "0.3"),
        (interval(0.125, -0.25, 0.5, 2, "dB"), "0.13 [−0.25, 0.50]\u00a0dB"),
        (interval(3, float("nan"), float("nan"), 0), "3"),
        (listed([1, 2, 2, 3]), "1, 2 and 3"),
        (listed(["one"]), "one"),
        (listed([]), ""),
    ],
)
def test_numbers_are_written_as_a_reader_expects(text, expected):
    assert text == expected
