"""The one style block, under one class, for JupyterLab, VS Code and bare HTML, in dark and light."""

from __future__ import annotations

__all__ = ["framed"]

_COLOURS = {  # name: (JupyterLab's variable, VS Code's variable, light, dark)
    "fg": ("--jp-content-font-color1", "--vscode-editor-foreground", "#1f2328", "#e6e6e6"),
    "dim": ("--jp-content-font-color2", "--vscode-descriptionForeground", "#59636e", "#a0a8b0"),
    "line": ("--jp-border-color2", "--vscode-panel-border", "#d1d9e0", "#4a4f55"),
    "track": ("--jp-layout-color3", "--vscode-editorWidget-background", "#dfe3e8", "#3a3f45"),
    "accent": ("--jp-brand-color1", "--vscode-progressBar-background", "#0969da", "#58a6ff"),
    "good": ("--jp-success-color1", "--vscode-charts-green", "#1a7f37", "#3fb950"),
    "bad": ("--jp-error-color1", "--vscode-errorForeground", "#cf222e", "#ff7b72"),
    "mono": ("--jp-code-font-family", "--vscode-editor-font-family", "monospace", "monospace"),
}


def _variables(column: int) -> str:
    return ";".join(f"--mr-{name}:var({c[0]},var({c[1]},{c[column]}))" for name, c in _COLOURS.items())


_CSS = (
    ".mrkernel{" + _variables(2) + "}"
    "@media (prefers-color-scheme:dark){.mrkernel{" + _variables(3) + "}}"
    # The class stands twice in each rule: JupyterLab's own rules for tables in outputs count two classes.
    """
.mrkernel{color:var(--mr-fg);font-size:var(--jp-content-font-size1,13px);line-height:1.4;margin:2px 0 8px}
.mrkernel{max-width:100%}
.mrkernel.mrkernel p{margin:4px 0}
.mrkernel.mrkernel .mr-dim{color:var(--mr-dim)}
.mrkernel.mrkernel table{border-collapse:collapse;margin:4px 0;border:0;table-layout:auto;width:auto}
.mrkernel.mrkernel table{font-size:inherit;color:inherit}
.mrkernel.mrkernel table th,.mrkernel.mrkernel table td{padding:3px 12px 3px 0;border:0;text-align:left}
.mrkernel.mrkernel table th,.mrkernel.mrkernel table td{vertical-align:baseline}
.mrkernel.mrkernel table th,.mrkernel.mrkernel table td{white-space:nowrap;max-width:32em}
.mrkernel.mrkernel table tbody tr:nth-child(n){background:transparent}
.mrkernel.mrkernel table thead tr{border-bottom:1px solid var(--mr-line)}
.mrkernel.mrkernel table thead th{font-weight:600;vertical-align:bottom}
.mrkernel.mrkernel table tbody th{font-weight:600}
.mrkernel.mrkernel table .mr-num{text-align:right;font-variant-numeric:tabular-nums}
.mrkernel.mrkernel .mr-stages td:last-child{white-space:normal;min-width:7em}
.mrkernel.mrkernel .mr-data tbody td{border-bottom:1px solid var(--mr-line);white-space:pre-wrap}
.mrkernel.mrkernel .mr-data tbody td{overflow-wrap:break-word;min-width:min-content}
.mrkernel.mrkernel .mr-data td.mr-num{white-space:nowrap}
.mrkernel.mrkernel .mr-data th small{display:block;font-weight:400;color:var(--mr-dim)}
.mrkernel.mrkernel .mr-scroll{overflow-x:auto}
.mrkernel.mrkernel summary{cursor:pointer}
.mrkernel.mrkernel .mr-link button{font:inherit;color:inherit;background:transparent;cursor:pointer}
.mrkernel.mrkernel .mr-link button{border:1px solid var(--mr-line);border-radius:4px;padding:3px 12px}
.mrkernel.mrkernel .mr-bar{width:100px;height:8px;border-radius:4px;background:var(--mr-track);overflow:hidden}
.mrkernel.mrkernel .mr-bar>div{height:8px;background:var(--mr-accent)}
.mrkernel.mrkernel .mr-bar.mr-finished>div{background:var(--mr-good)}
.mrkernel.mrkernel .mr-bar.mr-failed>div{background:var(--mr-bad)}
.mrkernel.mrkernel .mr-card{border-left:4px solid var(--mr-bad);padding:2px 0 2px 12px}
.mrkernel.mrkernel pre{font-family:var(--mr-mono);font-size:var(--jp-code-font-size,13px);margin:6px 0;padding:0}
.mrkernel.mrkernel pre{background:transparent;color:inherit;overflow-x:auto;white-space:pre}
.mrkernel.mrkernel pre mark{background:transparent;color:var(--mr-bad);font-weight:700}
.mrkernel.mrkernel pre.mr-copy{user-select:all;white-space:pre-wrap;overflow-wrap:anywhere}
.mrkernel.mrkernel .mr-card p code{white-space:pre-wrap;overflow-wrap:anywhere}
.mrkernel.mrkernel code{font-family:var(--mr-mono);background:transparent;color:inherit;padding:0}
"""
)


def framed(body: str, *, label: str) -> str:
    """A fragment under the one class, with its style block; ``label`` names the region and is escaped already."""
    return f'<div class="mrkernel" role="group" aria-label="{label}"><style>{_CSS}</style>{body}</div>'
