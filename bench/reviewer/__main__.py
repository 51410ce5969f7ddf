"""Reviews annotated photos in Chromium as somebody who knows the truth, and prints the actions that it took.

python -m bench.reviewer http://127.0.0.1:8080 --annotated FOLDER

The server's history should be empty, and its model that of the annotations. The page of the version before is
recognised and reviewed too, so that the figures of both are made by the same script. FOLDER: annotations.json (COCO),
images/.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

from bench.reviewer.chromium import chromium
from bench.reviewer.pages import FormerPage, NewPage, hands_at, wait_for_photo
from bench.reviewer.truth import Box, annotated, differences, plan_for

# A person is slower than the server; the script is not, and waits at the end.
SENT_MS = 600_000
# Steps of the slider from where it stands down to every weaker object that is kept.
ALL_GHOSTS = 4


def main() -> None:
    """Send the photos, review them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--annotated", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=None, help="of these, so many")
    parser.add_argument(
        "--ghosts", type=int, default=0, help=f"show weaker ones: steps of the floor, {ALL_GHOSTS} for all"
    )
    given = parser.parse_args()
    truth = dict(list(annotated(given.annotated).items())[: given.photos])
    names = {send(given.url, given.annotated / "images" / name): name for name in truth}
    with chromium(given.url) as page:
        hands, done = review_all(page, given.url, {uuid: truth[name] for uuid, name in names.items()}, given.ghosts)
    report(given.url, hands, done, {uuid: truth[name] for uuid, name in names.items()})


def send(url: str, path: Path) -> str:
    """Send a photo; return the id of its detection."""
    files = {"image": (path.name, path.read_bytes(), "image/jpeg")}
    return httpx.post(f"{url}/api/predict", files=files, timeout=60).raise_for_status().headers["X-Detection-Id"]


def review_all(
    page: Page, url: str, truth: Mapping[str, Sequence[Box]], ghost_steps: int = 0
) -> tuple[FormerPage | NewPage, Counter[str]]:
    """Review every photo of the queue that has a truth; return the hands, and counts of what was to do."""
    page.goto("/review/")
    hands = hands_at(page)
    for _ in range(ghost_steps if isinstance(hands, NewPage) else 0):
        hands.press("[")
    done: Counter[str] = Counter()
    while page.locator("[data-review]").is_visible() and done["photos"] < len(truth):
        uuid = hands.shown()
        wait_for_photo(page, uuid)
        review = httpx.get(f"{url}/api/detections/{uuid}/review", timeout=60).raise_for_status().json()
        plan = plan_for(review, truth[uuid], hands.ghosts())
        hands.carry_out(plan)
        done += Counter({"photos": 1, "rejected": len(plan.rejected), "relabelled": len(plan.relabelled)})
        done += Counter({"accepted": len(plan.accepted), "drawn": len(plan.missed)})
        page.wait_for_function(
            "(uuid) => !location.pathname.includes(uuid) || document.querySelector('[data-review]').hidden", arg=uuid
        )
    page.wait_for_function("() => document.querySelector('[data-review]').dataset.pending === '0'", timeout=SENT_MS)
    return hands, done


def exported(url: str) -> dict[str, list[Box]]:
    """Return what an export of the reviewed photos says, by detection."""
    answer = httpx.get(f"{url}/api/export?format=coco&reviewed=1", timeout=60).raise_for_status()
    document: dict[str, Any] = json.loads(answer.content)
    names = {one["id"]: one["name"] for one in document["categories"]}
    detections = {one["id"]: one["detection"] for one in document["images"]}
    boxes: dict[str, list[Box]] = {uuid: [] for uuid in detections.values()}
    for one in document["annotations"]:
        boxes[detections[one["image_id"]]].append(Box(names[one["category_id"]], *one["bbox"]))
    return boxes


def report(url: str, hands: FormerPage | NewPage, done: Counter[str], truth: Mapping[str, Sequence[Box]]) -> None:
    """Print the actions, and whether the export says the truth."""
    found = exported(url)
    wrong = {uuid: count for uuid, boxes in truth.items() if (count := differences(found.get(uuid, []), boxes))}
    figures = ", ".join(f"{count} {name}" for name, count in done.items())
    each = hands.actions / max(done["photos"], 1)
    print(f"{type(hands).__name__}: {hands.actions} actions, {each:.2f} a photo ({figures})")
    count = sum(map(len, found.values()))
    print(f"export: {count} objects, {sum(wrong.values())} unlike the truth in {len(wrong)} photos")


if __name__ == "__main__":
    main()
