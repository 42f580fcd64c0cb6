"""What a server has done since it began, in Prometheus' text format (version 0.0.4)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SIZES = (1, 2, 4, 8, 16, 32)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REASONS = ("queue", "deadline", "left", "connections", "malformed")

Sample = tuple[str, Mapping[str, object], float]
"""End of a sample's name, its labels, its value."""

UNROUTED = ""
"""The route of a request that has none."""


class Histogram:
    """How many of the values seen are at most as large as each bound.

    Args:
        bounds: ascending.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self) -> Iterator[Sample]:
        """How many are in each bucket or a smaller one, their sum, and how many there are."""
        below = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            below += count
            yield "_bucket", {"le": bound}, below
        yield "_sum", {}, self._sum
        yield "_count", {}, below


class Metrics:
    """The numbers. All are changed on the event loop.

    Attributes:
        requests: (route, status) -> answers.
        images: model, by the name that URLs use -> images in answers.
        refused: reason -> requests that were not taken up, or given up.
        not_finite: requests whose images had pixels that are not finite numbers.
        batch_images: images of each batch.
        run_seconds: seconds that the generator took for each batch.
        queue_seconds: seconds from a request to the first batch with images of it.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.images: Counter[str] = Counter()
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.not_finite = 0
        self.batch_images = Histogram(SIZES)
        self.run_seconds = Histogram(SECONDS)
        self.queue_seconds = Histogram(SECONDS)

    def text(self, waiting: int) -> str:
        """The page that Prometheus reads.

        Args:
            waiting: how many images are waiting or under way.
        """
        requests = [("", {"route": route, "status": status}, n) for (route, status), n in self.requests.items()]
        images = [("", {"model": model}, n) for model, n in self.images.items()]
        refused = [("", {"reason": reason}, n) for reason, n in self.refused.items()]
        families: list[tuple[str, str, str, Iterable[Sample]]] = [
            ("requests_total", "counter", "Answers by route and status.", requests),
            ("images_total", "counter", "Images in answers.", images),
            ("refused_total", "counter", "Requests that were not taken up, or given up.", refused),
            ("not_finite_total", "counter", "Requests whose images were not finite.", [("", {}, self.not_finite)]),
            ("waiting_images", "gauge", "Images that are waiting or under way.", [("", {}, waiting)]),
            ("batch_images", "histogram", "Images of each batch.", self.batch_images.samples()),
            ("run_seconds", "histogram", "Seconds of the generator for each batch.", self.run_seconds.samples()),
            ("queue_seconds", "histogram", "Seconds until a request's first batch.", self.queue_seconds.samples()),
        ]
        lines = []
        for name, kind, meaning, samples in families:
            lines += [f"# HELP ganzoo_{name} {meaning}", f"# TYPE ganzoo_{name} {kind}"]
            lines += [f"ganzoo_{name}{end}{_labels(labels)} {value}" for end, labels, value in samples]
        return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{name}="{str(value).translate(escapes)}"' for name, value in labels.items()) + "}"
