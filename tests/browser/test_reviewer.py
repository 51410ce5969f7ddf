"""A perfect reviewer at the review page: few actions, and a true export. `bench.reviewer` is the long one, for the
gallery too.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from bench.reviewer.__main__ import exported, review_all
from bench.reviewer.truth import Box, box_of, differences
from detection.conf import BASE_DIR
from tests.support.photos import real_photo
from tests.support.serving import Server, running_server

pytestmark = pytest.mark.browser
# As many keys, clicks and drags as each takes: a drawn object may need a class, a wrong name a click and the name.
MOST_FOR = {"photos": 1, "rejected": 1, "accepted": 1, "drawn": 4, "relabelled": 6}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: every photo that it has is reviewed."""
    with running_server({"DATA_DIR": str(tmp_path_factory.mktemp("reviewer"))}) as running:
        yield running


def truth_beside(review: dict[str, Any]) -> list[Box]:
    """What is true of a photo, for the test: the model missed weaker objects and one more, and named one wrongly."""
    first, *others = (box_of(one) for one in review["objects"])
    weaker = [box_of(one) for one in review["weaker"]][:2]
    unseen = Box("unicorn", 4, 4, review["width"] // 9, review["height"] // 9)
    return [Box("gnu", first.x, first.y, first.width, first.height), *others[1:], *weaker, unseen]


def test_photos_are_brought_to_the_truth_in_few_actions(browser: Browser, server: Server) -> None:
    truth = {}
    for name in ("motorcycle_left", "astronaut", "chelsea"):
        sent = httpx.post(f"{server.url}/api/predict", content=real_photo(name), headers={"Content-Type": "image/jpeg"})
        uuid = sent.raise_for_status().headers["X-Detection-Id"]
        truth[uuid] = truth_beside(httpx.get(f"{server.url}/api/detections/{uuid}/review").json())
    page = browser.new_context(base_url=server.url, viewport={"width": 1440, "height": 900}).new_page()
    hands, done = review_all(page, server.url, truth, ghost_steps=4)
    page.context.close()
    found = exported(server.url)
    assert {uuid: differences(found[uuid], boxes) for uuid, boxes in truth.items()} == dict.fromkeys(truth, 0)
    assert (done["photos"], done["relabelled"], done["drawn"] >= 3) == (3, 3, True)
    assert hands.actions <= 4 + sum(MOST_FOR[name] * count for name, count in done.items())


def test_gallery_is_scrolled_searched_and_undone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("chelsea", "astronaut"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(real_photo(name))
    command = [sys.executable, "-m", "bench.reviewer.gallery", "--annotated", str(tmp_path), "--photos", "24"]
    # Playwright takes one of its kind in a process.
    subprocess.run([*command, "--rounds", "1", "--results", str(tmp_path)], cwd=BASE_DIR, check=True, timeout=300)
    report = json.loads((tmp_path / "reviewer.gallery.json").read_text())
    (found,) = report["results"]["rounds"]
    assert (found["found"], found["download_actions"], found["undo_actions"], found["name_actions"]) == (12, 4, 5, 1)
    assert len(report["claims"]) == 6
