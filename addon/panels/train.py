"""What the panels of trainings and models show."""

from ..additions import find_addition
from ..core.curves import draw_curve
from ..core.samples import fold_sample
from ..core.texts import describe_time
from ..icons import SIDE, find_chart
from ..training import get_training
from .sentences import draw_text

_UNIT = 20
"""Pixels of one unit of a panel's height at scale 1."""


def draw_training(layout, context):
    """The settings, or how the training goes."""
    training = get_training()
    if training.outcome:
        draw_text(layout, context, training.outcome, "ERROR" if training.has_failed else "INFO")
    if training.is_open:
        _draw_progress(layout, context, training)
        return
    settings = context.scene.bitpuppet.train
    addition = find_addition()
    if addition is not None:
        row = layout.row(align=True)
        row.progress(factor=addition.fraction, text=addition.step)
        row.operator("bitpuppet.set_cancel", text="", icon="X")
    column = layout.column(align=True)
    column.operator("bitpuppet.set_add", text="Add Set from Folder...", icon="NEWFOLDER")
    column.operator("bitpuppet.train_look", icon="FILE_REFRESH")
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "characters")
    column.prop(settings, "base")
    column.prop(settings, "model")
    column.prop(settings, "minutes")
    row = layout.row()
    row.scale_y = 1.25
    row.operator("bitpuppet.train_start", icon="PLAY")


def _draw_progress(layout, context, training):
    status = training.status
    row = layout.row(align=True)
    if status is None or not status.steps:
        state = "waiting for the backend" if status is None else status.state.replace("running", "preparing")
        row.progress(factor=0.0, text=state.capitalize())
    else:
        left = f", {describe_time(status.eta_seconds)} left" if status.eta_seconds is not None else ""
        text = "Paused" if status.state == "paused" else f"Step {status.step} of {status.steps}{left}"
        row.progress(factor=min(1.0, status.step / status.steps), text=text)
    row.operator("bitpuppet.train_cancel", text="", icon="X")
    row = layout.row(align=True)
    if status is not None and status.state == "paused":
        row.operator("bitpuppet.train_steer", text="Resume", icon="PLAY").action = "resume"
    else:
        row.operator("bitpuppet.train_steer", text="Pause", icon="PAUSE").action = "pause"
    row.operator("bitpuppet.train_steer", text="Finish", icon="CHECKMARK").action = "finish"
    if status is not None and status.loss is not None:
        held_out = f", held out {status.held_out:.1%}" if status.held_out is not None else ""
        layout.label(text=f"Loss {status.loss:.4g}{held_out}")
    if len(training.curve) > 1:
        name = f"curve {training.job} {training.curve[-1][0]:g}"
        layout.template_icon(icon_value=find_chart(name, lambda: draw_curve(training.curve, SIDE)), scale=5.0)
    if training.sample is not None:
        name = f"sample {training.job} {training.sample_step}"
        picture = find_chart(name, lambda: fold_sample(training.sample))
        layout.template_icon(icon_value=picture, scale=_measure_sample(context))


def _measure_sample(context):
    """As wide as the sidebar, as far as a small window has room below it."""
    units = context.region.width / (_UNIT * (context.preferences.system.ui_scale or 1.0))
    return min(max(units - 3.0, 8.0), 16.0)


def draw_models(layout, context):
    """Each model with its card; one's own can be renamed and deleted."""
    training = get_training()
    if not training.models:
        layout.operator("bitpuppet.train_look", icon="FILE_REFRESH")
        return
    for card in training.models:
        row = layout.row(align=True)
        row.label(text=card.model.name, icon="USER" if card.own else "PACKAGE")
        row.operator("bitpuppet.model_card", text="", icon="INFO", emboss=False).model = card.model.name
        if card.own:
            row.operator("bitpuppet.model_rename", text="", icon="GREASEPENCIL", emboss=False).model = card.model.name
            row.operator("bitpuppet.model_delete", text="", icon="TRASH", emboss=False).model = card.model.name
