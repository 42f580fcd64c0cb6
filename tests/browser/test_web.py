"""``ganzoo export --web``: the folder on a static host makes the images of ``ganzoo sample``."""

import json
import shutil
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rendered import downloaded, opened, pixels

from ganzoo import api
from ganzoo.exporting.gates import card_of
from ganzoo.exporting.int8 import to_int8
from ganzoo.images import grid
from ganzoo.latents import draw
from ganzoo.runtime.generator import ImageGenerator
from ganzoo_registry import Registry

NAMES = ("plain", "classes")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def generator(studio: Any, name: str) -> ImageGenerator:
    return api.load(name, registry=studio.directory / "registry", device="cpu", threads=1)


def apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    """Most steps between two pixels."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def test_in_node_every_image_is_within_a_step(node: Any, sites: Any, name: str, tell: Any) -> None:
    """In int8 to the byte. By turns of 5 images, where Python takes 32."""
    site = sites.directory(name)
    asked = {"kind": "sample", "n": 256, "seed": "18446744073709551615", "label": "", "controls": {}}
    for entry, model in enumerate(json.loads((site / "models.json").read_text())["models"]):
        answer = node({"site": str(site), "entry": entry, "request": asked, "batch": 5})
        wanted, _ = ImageGenerator.from_bytes((site / model["file"]).read_bytes(), device="cpu").pixels(256, 2**64 - 1)
        found = np.frombuffer(b64decode(answer["images"]), np.uint8).reshape(wanted.shape)
        assert apart(found, wanted) <= (0 if "int8" in model["file"] else 1)
        rate, share = 256 / answer["seconds"], float((found != wanted).mean())
        tell(f"{name}, {model['file']} in Node: {rate:,.0f} images/s, one thread; {share:.1e} of pixels differ, by 1")


def test_in_node_a_walk_goes_along_a_great_circle(node: Any, sites: Any, name: str, generator: Any) -> None:
    asked = {"kind": "interpolate", "seed": "7", "to": "8", "steps": 9, "label": "", "controls": {}}
    answer = node({"site": str(sites.directory(name)), "entry": 0, "request": asked, "batch": 4})
    classes = len(generator.card.class_names)
    (a, labels), (b, _) = (draw(seed, 0, 1, generator.card.latent_dim, classes) for seed in (7, 8))
    angle = np.arccos(float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())))
    t = np.linspace(0, 1, 9)[:, None]
    z = ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(np.float32)
    images = generator.run(z, None if labels is None else labels.repeat(9))
    wanted = np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)
    assert apart(np.frombuffer(b64decode(answer["images"]), np.uint8).reshape(wanted.shape), wanted) <= 1


def test_in_the_browser_the_grid_is_that_of_the_command(browser: Any, sites: Any, studio: Any, name: str) -> None:
    with opened(browser, sites.address(name)) as page:
        downloaded(page, f"16 samples of {name}:1, seed 7")
        label = ", class 5" if name == "classes" else ""
        if label:
            page.get_by_label("Class").select_option("5")
        page.get_by_label("Seed", exact=True).fill("18446744073709551615")
        page.get_by_label("Images", exact=True).select_option("9")
        shown = downloaded(page, f"9 samples of {name}:1, seed 18446744073709551615{label}")
        (command,) = page.locator("#commands code").all_inner_texts()
    studio.ganzoo(command.removeprefix("ganzoo "))
    assert apart(pixels(shown), pixels((studio.directory / "samples.png").read_bytes())) <= 1


def test_in_the_browser_a_walk_begins_and_ends_where_it_should(browser: Any, sites: Any, name: str) -> None:
    with opened(browser, sites.address(name)) as page:
        page.get_by_label("Images", exact=True).select_option("1")
        first = pixels(downloaded(page, f"1 samples of {name}:1, seed 7"))
        page.get_by_label("a walk between two seeds").check()
        page.get_by_label("Images on the way").select_option("4")
        grid = pixels(downloaded(page, f"4 images on a walk through {name}:1, seeds 7 to 8"))
        assert page.locator("#commands code").count() == 0  # no command makes them
    height, width, _ = first.shape
    assert (grid[:height, :width] == first).all()
    assert (grid[-height:, -width:] != first).any()


def test_in_the_browser_what_was_asked_for_last_is_shown(browser: Any, sites: Any, name: str, generator: Any) -> None:
    """While earlier images are under way."""
    with opened(browser, sites.address(name)) as page:
        page.get_by_label("Images", exact=True).select_option("64")
        for _ in range(12):
            page.get_by_role("button", name="Random seed", exact=True).click()
        seed = page.get_by_label("Seed", exact=True).input_value()
        shown = pixels(downloaded(page, f"64 samples of {name}:1, seed {seed}"))
    sheet = grid(generator.pixels(64, int(seed))[0])
    assert apart(shown, np.broadcast_to(sheet.transpose(1, 2, 0), shown.shape)) <= 1


def test_the_page_stays_alive_meanwhile(browser: Any, sites: Any, studio: Any) -> None:
    """Images are made beside it: no task of the page's own thread is long, as browsers count it (50 ms)."""
    studio.ganzoo("train --model dcgan --data digits --size 64 --steps 2 --name large")
    with opened(browser, sites.address("large")) as page:
        downloaded(page, "16 samples of large:1, seed 7")
        page.evaluate(
            "window.long = []; new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => "
            "duration))).observe({ type: 'longtask' })"
        )
        page.get_by_label("Images", exact=True).select_option("9")
        downloaded(page, "9 samples of large:1, seed 7")
        assert page.evaluate("window.long") == []


def test_in_the_browser_missing_scripts_are_said(browser: Any, sites: Any, name: str) -> None:
    with browser.new_context() as context:
        context.route("**/onnxruntime/ort.js", lambda route: route.fulfill(status=404))
        page = context.new_page()
        page.goto(sites.address(name))
        page.get_by_text("the scripts of ONNX Runtime are not there").wait_for()


@pytest.fixture(scope="module")
def rounded(studio: Any, sites: Any) -> str:
    """The site of a version that has a file in int8, too; a gate would refuse this one, which saw 300 steps."""
    store = Registry(studio.directory / "registry")
    version = store.resolve("plain")
    whole = store.read(version, "onnx")
    directory = studio.directory / "rounded"
    shutil.copytree(store.root, directory)
    Registry(directory).attach(version, "onnx", to_int8(whole, card_of(whole)), variant="int8")
    site: str = sites.directory("plain", registry=directory, folder="rounded").name
    return site


def test_int8_is_the_same_to_the_byte(node: Any, sites: Any, studio: Any, rounded: str, tell: Any) -> None:
    """In Node; and the file in fp32 stands beside it."""
    site = studio.directory / "sites" / rounded
    models = json.loads((site / "models.json").read_text())["models"]
    assert [(model["file"], model["int8"]) for model in models] == [
        ("generators/int8.onnx", True),
        ("generators/fp32.onnx", False),
    ]
    asked = {"kind": "sample", "n": 256, "seed": "11", "label": "", "controls": {}}
    answer = node({"site": str(site), "entry": 0, "request": asked, "batch": 5})
    wanted, _ = ImageGenerator.from_bytes((site / models[0]["file"]).read_bytes(), device="cpu").pixels(256, 11)
    assert b64decode(answer["images"]) == wanted.tobytes()
    tell(f"int8 in Node: {256 / answer['seconds']:,.0f} images/s, one thread; every byte is the same")


def test_int8_in_the_browser_is_the_commands(browser: Any, sites: Any, studio: Any, rounded: str) -> None:
    with opened(browser, f"{sites.root}/sites/{rounded}/") as page:
        page.get_by_label("Seed", exact=True).fill("12")
        shown = downloaded(page, "16 samples of plain:1, seed 12")
        (command,) = page.locator("#commands code").all_inner_texts()
    assert "--int8" in command
    studio.ganzoo(f"{command.removeprefix('ganzoo ')} --registry {studio.directory / 'rounded'}")
    assert (pixels(shown) == pixels((studio.directory / "samples.png").read_bytes())).all()
