"""What a program tells about itself: predictions, outcomes, spans of its stages, its log messages. Standard library only.

    import sightline

    sightline.init(service="risk-api", endpoint="http://127.0.0.1:4318")

    @sightline.traced
    def featurize(frame): ...

    with sightline.stage("train", model="risk", version="7") as stage:
        stage.metric("auc", 0.91)
        stage.rows(len(frame))

    sightline.track_prediction(model="risk", version="7", features=row, prediction=label, score=score, id=request_id, latency=seconds)
    sightline.track_outcome(model="risk", id=request_id, label=truth)
    logging.getLogger().addHandler(sightline.LogHandler())

A call puts a tuple into a bounded queue and returns: about a microsecond, never an exception, never a wait. A thread of its own
aggregates what was queued and sends it as OTLP over HTTP every few seconds, at the end of the program, and in children after a
fork. What finds no room, and what the server does not take, is counted and told as a metric of its own.

The names of OpenTelemetry's conventions are used where it has one; for models it has none yet, so these are ours: `ml.model.name`,
`ml.model.version`, `ml.stage`, `ml.rows`, and the metrics `ml.predictions`, `ml.prediction.errors`, `ml.prediction.duration` (s),
`ml.prediction.score`, `ml.feature.value`, `ml.feature.missing`, `ml.feature.category`, `ml.telemetry.dropped`.
"""

from sightline.telemetry.logs import LogHandler, structlog_processor
from sightline.telemetry.recorder import Recorder, flush, init, shutdown, track_outcome, track_prediction
from sightline.telemetry.spans import Span, Stage, current_traceparent, stage, traced

__all__ = [
    "LogHandler",
    "Recorder",
    "Span",
    "Stage",
    "current_traceparent",
    "flush",
    "init",
    "shutdown",
    "stage",
    "structlog_processor",
    "traced",
    "track_outcome",
    "track_prediction",
]
