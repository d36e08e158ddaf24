# The states that ipywidgets itself gives the widgets of our inputs: one JSON object from the inputs' names to their models.
import datetime
import json

import ipywidgets as w

short = {"description": "short"}
widgets = {
    "slider": w.IntSlider(value=10, min=2, max=100, **short),
    "float": w.FloatSlider(value=0.5, min=0, max=1, step=0.05, continuous_update=False, **short),
    "range": w.IntRangeSlider(value=(4, 12), min=0, max=29, **short),
    "number": w.FloatText(value=0.5, **short),
    "whole": w.IntText(value=3, **short),
    "bounded": w.BoundedIntText(value=3, min=1, max=9, **short),
    "boundedFloat": w.BoundedFloatText(value=0.5, min=0, max=1, step=0.1, **short),
    "select": w.Dropdown(options=["a", "b"], value="b", **short),
    "multiSelect": w.SelectMultiple(options=["a", "b"], value=["b"], rows=2, **short),
    "buttons": w.ToggleButtons(options=["a", "b"], value="b", style={"button_width": "auto"}, **short),
    "checkbox": w.Checkbox(value=True, indent=False, **short),
    "toggle": w.ToggleButton(value=False, tooltip="short", **short),
    "text": w.Text(value="t", continuous_update=False, **short),
    "lines": w.Textarea(value="t", rows=3, continuous_update=False, placeholder="p", **short),
    "button": w.Button(tooltip="short", **short),
    "colour": w.ColorPicker(value="#0072b2", **short),
    "date": w.DatePicker(value=datetime.date(2026, 10, 4), **short),
    "file": w.FileUpload(accept=".txt", tooltip="short", **short),
    "slow": w.Play(min=0, max=9, interval=200),
    "long": w.IntSlider(description="a label that is long", style={"description_width": "initial"}),
}


def state(widget):
    own = widget.get_state()
    for key in ("layout", "style"):
        own[key] = getattr(widget, key).get_state()
    own["layout"] = {k: v for k, v in own["layout"].items() if v is not None and not k.startswith("_view")}
    return own


print(json.dumps({name: state(widget) for name, widget in widgets.items()}))
