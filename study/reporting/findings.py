"""The findings in plain words, each a paragraph whose numbers come from the published tables."""

from study.experiments import tables
from study.experiments.presets import PUBLISHED
from study.reporting import answers, numbers_of_codecs, numbers_of_studies
from study.reporting.settings import ended
from study.reporting.written import count, fixed, interval, listed, percent


def batch_size() -> str:
    rows = ended(_PRESET)
    numbers, steps = numbers_of_studies.batch_sizes(rows), numbers_of_studies.equal_steps(rows)
    epochs = count(rows.query("study == 'batch_size'").epochs.max())
    return (
        f"**Batch size: equal epochs or equal steps?** After {epochs} epochs each, networks trained with batches of "
        f"{numbers['large']} images end {_beside('larger_batches_end_level_or_better')} in MS-SSIM than those trained "
        f"with {numbers['small']}. But an epoch of large batches has fewer steps: {numbers['large_steps']} in all, not "
        f"{numbers['small_steps']}. After {steps['steps']} steps each, the large batches end "
        f"{_beside('larger_batches_end_better_at_equal_steps')}."
    )


def train_size() -> str:
    images = tables.read(_PRESET, "data", published=True).set_index("split").images["train"]
    numbers = numbers_of_studies.train_sizes(ended(_PRESET), images)
    return (
        f"**More images, or more steps?** From {numbers['small']} to {numbers['large']} training images, turned copies "
        f"included, PSNR changes by {numbers['change']}. Part of this is more training: four copies of each image, "
        f"turned by quarters, end {_beside('rotation_helps')} in MS-SSIM than the originals alone, shown as often."
    )


def score() -> str:
    claim = _claims().estimate
    grey = claim["near_grey_colours"]  # the share of colour after MS-SSIM; the other claim is what L1 has more
    theirs, real = (fixed(claim[f"quality_of_{name}"], 3) for name in ("95_to_98_percent", "95_percent_by_ms_ssim"))
    return (
        f"**A score that flatters, pictures that turn grey.** Pictures that get {theirs} by the report's score, which "
        f"it calls MS-SSIM, have an MS-SSIM of {real}. Structural similarity, the report's loss, hardly looks at "
        f"colour: networks trained with MS-SSIM keep {percent(grey)} of the originals' colour; those trained with L1, "
        f"the mean absolute error, keep {percent(grey + claim['grey_comes_from_the_loss'])}."
    )


def parameters() -> str:
    table = tables.read(_PRESET, "networks", published=True).sort_values("passes")
    ours, theirs = (table[table.network == name] for name in ("this study", "report's code"))
    return (
        "**A billion parameters that were a loop.** The report gave up on several passes because they would have "
        f"needed nearly a billion parameters. Its code built a new network for each pass: "
        f"{count(theirs.parameters.iloc[-1])} parameters at {count(theirs.passes.iloc[-1])} passes. The network shares "
        f"its weights between passes and has {listed(map(count, ours.parameters))}, however many it makes."
    )


def codec() -> str:
    webp = [it["beside"][1] for it in numbers_of_codecs.shipped()["codecs"]][0]
    return f"**A codec to look at.** {answers.rates('codec')} Beside WebP its files are {webp['by']} {webp['way']}."


def claims() -> str:
    return f"**What holds.** {answers.claims(_claims().reset_index())}"


FINDINGS = {function.__name__: function for function in (batch_size, train_size, score, parameters, codec, claims)}
_PRESET = PUBLISHED[0]


def _claims():
    return tables.read(_PRESET, "claims", published=True).set_index("claim")


def _beside(claim):
    """A difference in words: "0.079 [0.074, 0.085] lower"."""
    row = _claims().loc[claim]
    low, high = (row.low, row.high) if row.estimate > 0 else (-row.high, -row.low)
    return f"{interval(abs(row.estimate), low, high, 3)} {'higher' if row.estimate > 0 else 'lower'}"
