"""Sidecars as photo managers write them keep every byte, and get keywords and regions once."""

import random
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from detection.photos.xmp import Region, merge
from detection.photos.xmp_reader import KEYWORDS, RDF, REGION_LIST, SidecarError, read_sidecar

SIZE = (4000, 3000)
CAT = Region("cat", 0.5, 0.25, 0.125, 0.5)
NAMES = ["cat", "dining table", "a & b <c>"]
HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
TAIL = '\n<?xpacket end="w"?>'
WORDS = ["cat", "Beach", "\u043a\u043e\u0442", "a &amp; b &lt;c&gt;", "Tom &quot;T&quot;", "x/y"]
DIGIKAM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
    xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   digiKam:PickLabel="0" xmp:Rating="%(rating)d">
   <digiKam:TagsList>
    <rdf:Seq>
%(items)s    </rdf:Seq>
   </digiKam:TagsList>
   <dc:subject>
    <rdf:Bag>
%(items)s    </rdf:Bag>
   </dc:subject>
   <mwg-rs:Regions rdf:parseType="Resource">
    <mwg-rs:RegionList>
     <rdf:Bag>
      <rdf:li>
       <rdf:Description mwg-rs:Name="Ann" mwg-rs:Type="Face">
        <mwg-rs:Area stArea:x="0.3" stArea:y="0.4" stArea:w="0.1" stArea:h="0.2" stArea:unit="normalized"/>
       </rdf:Description>
      </rdf:li>
     </rdf:Bag>
    </mwg-rs:RegionList>
   </mwg-rs:Regions>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""
LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:%(rating)d"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
   xmp:Rating="%(rating)d"
   crs:Temperature="5500" crs:Note="1 > 0 /> 'x'">
   <dc:subject><rdf:Bag/></dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
%(items)s    </rdf:Bag>
   </lr:hierarchicalSubject>
   <crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""
DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:darktable="http://darktable.sf.net/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
   darktable:xmp_version="5"
   darktable:auto_presets_applied="%(rating)d">
   <dc:subject>
    <rdf:Seq>
%(items)s    </rdf:Seq>
   </dc:subject>
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:num="0" darktable:operation="exposure" darktable:params="00c0"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
OTHER_PREFIX = (
    '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about="" '
    'xmlns="http://purl.org/dc/elements/1.1/"><subject><r:Bag><r:li>%(rating)d</r:li></r:Bag></subject>'
    "</r:Description></r:RDF>"
)


def made(seed: int) -> bytes:
    """A sidecar of one of the programs, with line ends and keywords of chance."""
    chance = random.Random(seed)
    items = "".join(f"     <rdf:li>{word}</rdf:li>\n" for word in chance.sample(WORDS, chance.randint(0, len(WORDS))))
    template = chance.choice([DIGIKAM, LIGHTROOM, DARKTABLE, OTHER_PREFIX])
    text = template % {"rating": chance.randint(0, 5), "items": items}
    if template in {DIGIKAM, LIGHTROOM}:
        text = HEAD + text + " " * chance.randint(0, 100) + TAIL
    return text.replace("\n", chance.choice(["\n", "\r\n"])).encode()


def contents(raw: bytes) -> list[Any]:
    """All elements with attributes and texts, in order, but for keywords and regions."""
    ours = {"{" + key.replace(" ", "}") for key in [*(each.key for each in KEYWORDS), REGION_LIST]}
    root = ET.fromstring(raw)
    skipped = {id(below) for one in root.iter() if one.tag in ours for below in one.iter()}
    return [(one.tag, one.attrib, (one.text or "").strip()) for one in root.iter() if id(one) not in skipped]


@pytest.mark.parametrize("start", range(0, 500, 100))
def test_existing_sidecars_keep_every_byte_and_a_second_run_changes_nothing(start: int) -> None:
    for seed in range(start, start + 100):
        raw = made(seed)
        before = read_sidecar(raw)
        merged = merge(raw, NAMES, [CAT], SIZE)
        rest = iter(merged)
        assert all(byte in rest for byte in raw), "bytes were lost or moved"
        found = read_sidecar(merged)
        for keywords in KEYWORDS:
            had = before.lists[keywords.key].texts if keywords.key in before.lists else []
            assert found.lists[keywords.key].texts == [*had, *(name for name in NAMES if name not in had)]
        assert found.regions == [*before.regions, ("cat", (0.5, 0.25, 0.125, 0.5))]
        after = contents(merged)
        for one in contents(raw):
            after.remove(one)
        assert {tag.partition("}")[2] for tag, _, _ in after} <= {"Description", "Regions", "AppliedToDimensions"}
        assert merge(merged, NAMES, [CAT], SIZE) == merged


def test_new_sidecar_has_what_was_found() -> None:
    made_new = merge(None, ["cat", "cat"], [CAT], SIZE)
    found = read_sidecar(made_new)
    assert [found.lists[each.key].texts for each in KEYWORDS] == [["cat"]] * 3
    assert b'stDim:w="4000" stDim:h="3000" stDim:unit="pixel"' in made_new
    assert merge(made_new, ["cat"], [CAT], SIZE) == made_new


def test_descriptions_are_about_the_same_thing() -> None:
    raw = (LIGHTROOM % {"rating": 3, "items": ""}).encode()
    root = ET.fromstring(merge(raw, ["cat"], [CAT], SIZE))
    abouts = [one.get(f"{{{RDF}}}about") for one in root.iter(f"{{{RDF}}}Description")]
    assert abouts == ["uuid:3", "uuid:3"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "It is no XML", id="empty"),
        pytest.param(b"<a>", "It is no XML", id="cut off"),
        pytest.param(b"<a/>", "It has no rdf:RDF", id="no RDF"),
        pytest.param("<a/>".encode("utf-16"), "It is not in UTF-8", id="UTF-16"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "It has a document type", id="entities"),
        pytest.param(
            b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
            b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:subject="cat"/></rdf:RDF>',
            "dc:subject in it is no list",
            id="a text for a list",
        ),
    ],
)
def test_what_is_no_sidecar_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(SidecarError, match=reason):
        merge(raw, ["cat"], [CAT], SIZE)
