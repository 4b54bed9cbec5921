"""The job, as Flink sees it: source -> one row a photo, by a model process -> sink.

    .venv-flink/bin/python -m src_mindspore.deploy.streaming.job SETTINGS.json [key=value ...]

Runs in Flink's environment; `python -m src_mindspore.deploy.streaming` starts it. Further
arguments are entries of Flink's configuration.
"""
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyflink.common import Configuration, Duration, Encoder, Time, Types, WatermarkStrategy
from pyflink.datastream import (
    DataStream,
    KeyedProcessFunction,
    RuntimeContext,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.file_system import (
    BucketAssigner,
    FileEnumeratorProvider,
    FileSink,
    FileSource,
    OutputFileConfig,
    RollingPolicy,
    StreamFormat,
)
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor
from pyflink.java_gateway import get_gateway

from src_mindspore.deploy.streaming import rows
from src_mindspore.deploy.streaming.ancestors import ancestors_up_to, die_with
from src_mindspore.deploy.streaming.manifests import BadEntry, parse_line, resolve
from src_mindspore.deploy.streaming.model_client import ModelClient
from src_mindspore.deploy.streaming.settings import DISCOVERY_MS, StreamSettings

# So long an id is remembered, to tell a photo that is listed twice.
REMEMBERED_DAYS = 7


class Classify(KeyedProcessFunction):
    """Line of a manifest -> row; keyed by id, so that a repeated id meets what is known of it.

    Args:
        settings: StreamSettings.
    """

    def __init__(self, settings):
        self._settings = settings
        self._to_line = rows.to_csv if settings.format == "csv" else rows.to_json

    def open(self, runtime_context: RuntimeContext):
        """Start the model process of this subtask."""
        settings = self._settings
        self._model = ModelClient(settings.python, settings.project, settings.model)
        # A killed TaskManager does not take its Python worker along.
        die_with(ancestors_up_to("java"), before=self._model.close)
        descriptor = ValueStateDescriptor("answered", Types.BOOLEAN())
        descriptor.enable_time_to_live(
            StateTtlConfig.new_builder(Time.days(REMEMBERED_DAYS)).build())
        self._answered = runtime_context.get_state(descriptor)

    def process_element(self, line, _):
        """Yield the row of one line as text."""
        started = time.perf_counter()
        identity, path = parse_line(line)
        # A gateway sends a line again after a failure, and drops the second row itself.
        manifest = self._settings.source != "socket"
        if manifest and self._answered.value():
            answer = {"error": "this id was answered before; a manifest lists it again"}
        else:
            try:
                answer = self._model.ask(resolve(path, self._settings.root))
            except BadEntry as error:
                answer = {"error": str(error)}
            if manifest:
                self._answered.update(True)
        milliseconds = (time.perf_counter() - started) * 1000
        yield self._to_line(rows.make_row(identity, path, answer, milliseconds,
                                          self._model.model_sha256))

    def close(self):
        """End the model process."""
        self._model.close()


def build(environment, settings):
    """Lay the pipeline.

    Args:
        environment: StreamExecutionEnvironment.
        settings: StreamSettings.
    """
    # Every operator has a uid: a savepoint finds its state by it, also in a job with another model.
    result = _lines(environment, settings).uid("source") \
        .filter(lambda line: bool(parse_line(line)[1])).uid("lines") \
        .key_by(lambda line: parse_line(line)[0], Types.STRING()) \
        .process(Classify(settings), Types.STRING()) \
        .set_parallelism(settings.parallelism).uid("classify").name("classify")
    if settings.source == "socket":
        _to_socket(result, settings.rows_port)
        return
    sink = FileSink.for_row_format(settings.rows, Encoder.simple_string_encoder("UTF-8")) \
        .with_bucket_assigner(BucketAssigner.base_path_bucket_assigner()) \
        .with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy()) \
        .with_output_file_config(OutputFileConfig.builder().with_part_prefix("rows")
                                 .with_part_suffix(f".{settings.format}").build()).build()
    result.sink_to(sink).uid("sink").name("rows")


def _lines(environment, settings):
    """Return the DataStream of manifest lines."""
    if settings.source == "socket":
        # Python has no such source, but Flink has; it tries again where the gateway is not there.
        return DataStream(environment._j_stream_execution_environment.socketTextStream(
            "127.0.0.1", settings.lines_port, "\n", -1))
    builder = FileSource.for_record_stream_format(StreamFormat.text_line_format("UTF-8"),
                                                  settings.manifests) \
        .set_file_enumerator(FileEnumeratorProvider.default_non_splittable_file_enumerator())
    if settings.source == "watch":
        builder = builder.monitor_continuously(Duration.of_millis(DISCOVERY_MS))
    return environment.from_source(builder.build(), WatermarkStrategy.no_watermarks(),
                                   "manifests", Types.STRING())


def _to_socket(result, port):
    """Send every row, as a line, to a gateway."""
    lines = result.map(lambda row: row + "\n", Types.STRING())
    schema = get_gateway().jvm.org.apache.flink.api.common.serialization.SimpleStringSchema()
    lines._j_data_stream.writeToSocket("127.0.0.1", port, schema)


def main(argv):
    """Build the job and hand it to Flink.

    Returns when a local job has ended, or when a cluster has taken it: the configuration's
    `execution.target` decides.
    """
    settings = StreamSettings.from_json(Path(argv[0]).read_text(encoding="utf-8"))
    values = settings.flink_configuration() | dict(entry.split("=", 1) for entry in argv[1:])
    configuration = Configuration()
    for name, value in values.items():
        configuration.set_string(name, value)
    remote = values.get("execution.target") == "remote"
    environment = _remote_environment(values, configuration) if remote else \
        StreamExecutionEnvironment.get_execution_environment(configuration)
    environment.set_parallelism(1)
    build(environment, settings)
    (environment.execute_async if remote else environment.execute)(values["pipeline.name"])


def _remote_environment(values, configuration):
    """Return the environment of a cluster; Python's own function knows the local one alone."""
    jvm = get_gateway().jvm
    jars = get_gateway().new_array(jvm.String, 1)
    jars[0] = unquote(urlsplit(values["pipeline.jars"]).path)
    return StreamExecutionEnvironment(
        jvm.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
        .createRemoteEnvironment(values["rest.address"], int(values["rest.port"]),
                                 configuration._j_configuration, jars))


if __name__ == "__main__":
    main(sys.argv[1:])
