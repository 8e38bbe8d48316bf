"""Figures that a reader can point at, for `hover.js` to draw: a study's curves, with the numbers under the pointer."""

import re

import plotly.graph_objects as go

from study.experiments import runs, tables
from study.experiments.studies import STUDIES
from study.reporting.style import shades

SCORES = ["psnr", "ms_ssim", "report_score"]


def insert(text):
    """The text of a page with a figure in place of each `<!-- hover: PRESET STUDY -->`."""
    return re.sub(r"<!-- hover: (\S+) (\S+) -->", lambda mark: _block(curves(mark[1], mark[2])), text)


def _block(figure):
    return f'```{{raw}} html\n<div class="hover"><script type="application/json">{figure.to_json()}</script></div>\n```'


def curves(preset, study):
    """PSNR of validation images by epoch, means over seeds after the last pass, a line per setting."""
    history = tables.last_pass(tables.of_studies(preset, "history", study, published=True))
    history = history[history.split == "validation"]
    planned = {run.id: run for run in runs.plan(preset)}
    settings = history.run.map(lambda run: STUDIES[study].setting(planned[run]).replace("_", " "))
    figure = go.Figure()
    order = settings.unique()
    for setting, colour in shades(range(len(order))).items():
        rows = history[settings == order[setting]].groupby("epoch")
        means = rows[SCORES].mean()
        words = "%{y:.2f} dB, MS-SSIM[w3,L4] %{customdata[0]:.3f}, report's score %{customdata[1]:.3f}"
        figure.add_scatter(
            x=means.index,
            y=means.psnr,
            customdata=means[["ms_ssim", "report_score"]],
            name=f"{order[setting]} (n = {rows.seed.nunique().max()})",
            line={"color": f"rgb{tuple(round(255 * part) for part in colour)}"},
            hovertemplate=words,
        )
    figure.update_layout(
        template="simple_white",
        hovermode="closest",
        hoverdistance=100,
        height=340 + 18 * len(order),  # each setting may need a line of the legend
        margin={"l": 55, "r": 10, "t": 10, "b": 45},
        xaxis_title="epoch",
        yaxis_title="PSNR (dB)",
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
    )
    return figure
