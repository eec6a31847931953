"""Assets, network and activity of a plant of 300 assets in a real browser: what can be pointed at, chosen, dragged and followed."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FloatRect, Locator, expect

from tests.browser import bigplant
from tests.browser.visiting import Visit, served
from tests.browser.waterworks import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("home"), bigplant.stored()) as address:
        yield address


def settled(target: Locator) -> FloatRect:
    """Where it stands once nothing above it moves it any more, which a pointer waits for."""
    target.hover(position={"x": 4, "y": 4})  # its middle may be covered by a mark
    box = target.bounding_box()
    assert box
    return box


COVERED = """root => {
    const along = path => Array.from({ length: 60 }, (_, at) => path.getPointAtLength(path.getTotalLength() * at / 59))
    const lines = [...root.querySelectorAll("path.new")].flatMap(along)
    const within = ({ x, y, width, height }) => lines.some(at => at.x > x && at.x < x + width && at.y > y && at.y < y + height)
    return [...root.querySelectorAll(".word")].filter(word => within(word.getBBox())).map(word => word.textContent)
}"""


def test_from_the_inventory_to_the_network(visit: Visit) -> None:
    visit.open("/assets?lang=en&risky=yes")
    expect(visit.page.locator(".table tbody tr")).to_have_count(2)
    visit.page.get_by_role("link", name="PLC-7").click()
    expect(visit.page.locator("h1")).to_have_text("PLC-7")
    expect(visit.page).to_have_url(re.compile(r"/asset\?.*asset=[0-9a-f]{20}"))
    expect(visit.page.get_by_role("link", name="Chlorine set point on PLC-7")).to_be_visible()
    expect(visit.page.get_by_text("Firmware: 2.1 → 2.3")).to_be_visible()
    expect(visit.page.get_by_text(re.compile("download a program to the controller, stop the controller, write values"))).to_be_visible()  # the gravest first
    visit.page.get_by_role("button", name="On the network").click()
    expect(visit.page.locator(".network .node.chosen")).to_have_count(1)
    expect(visit.page.get_by_text("Links of PLC-7")).to_be_visible()
    visit.page.get_by_role("link", name="ENG-WS-2").first.click()
    expect(visit.page.locator("h1")).to_have_text("ENG-WS-2")


def test_the_network_shows_three_hundred_assets_and_what_is_new(visit: Visit) -> None:
    visit.open("/network?lang=zh&range=24h")
    expect(visit.page.locator(".network .node")).to_have_count(301)
    expect(visit.page.locator(".network path.new")).to_have_count(13)
    expect(visit.page.locator(".network path.hair").nth(200)).to_be_attached()
    assert visit.page.locator("img[src=x]").count() == 0
    assert visit.page.title() != "owned"
    expect(visit.page.locator(".network .label", has_text=HOSTILE[:6])).to_have_count(1)
    assert visit.page.locator(".network .word").count() > 0
    assert visit.page.locator(".network").evaluate(COVERED) == [], "what is done stands beside its links"
    node = visit.page.locator('.network .node[aria-label^="ENG-WS-2"]')
    node.hover()
    expect(visit.page.locator(".network .tip")).to_contain_text("工程师站")
    expect(visit.page.locator(".network .label.on", has_text="PLC-44")).to_be_visible()  # whom it talks to has its name
    asset = node.element_handle()
    place = asset.bounding_box()
    visit.page.get_by_role("slider").press("End")
    expect(visit.page).to_have_url(re.compile("moment="))
    expect(visit.page.locator(".network path.new")).to_have_count(0)
    assert place is not None
    assert asset.bounding_box() == place, "the very element stays where it was"
    expect(visit.page.locator(".network .label.on").first).to_be_attached()  # the pointer is still on it


def test_a_drag_on_the_roll_chooses_a_time_and_an_alert_opens(visit: Visit) -> None:
    visit.open("/explore?lang=en&range=8h&q=destination.asset.name:PLC-7")
    canvas = visit.page.locator(".piano canvas")
    expect(canvas).to_be_visible()
    expect(visit.page.locator(".piano")).to_have_attribute("data-marks", re.compile(r"^[1-9]\d{2,}$"))
    box = settled(canvas)
    wide = box["width"] - 258
    at = box["x"] + 250
    visit.page.mouse.move(at + wide * 0.36, box["y"] + 80)
    visit.page.mouse.down()
    visit.page.mouse.move(at + wide * 0.42, box["y"] + 90, steps=4)
    visit.page.mouse.up()
    expect(visit.page).to_have_url(re.compile(r"part=\d+-\d+"))
    expect(visit.page.get_by_role("button", name="whole period")).to_be_visible()
    expect(visit.page.get_by_text("chlorine set point").first).to_be_visible()
    visit.page.keyboard.press("w")
    expect(visit.page).not_to_have_url(re.compile(r"part="))
    visit.open("/explore?lang=en&range=8h&q=ot.tag.name:*set*")
    box = settled(canvas)
    visit.page.mouse.move(box["x"] + 250 + (box["width"] - 258) * 0.3752, box["y"] + 60)
    expect(visit.page.locator(".piano .tip")).to_contain_text("Critical 91")
    mark = visit.page.get_by_role("link", name=re.compile("Critical 91: .* chlorine set point · PLC-7"))
    mark.focus()
    canvas.evaluate("canvas => { canvas.closest('.wrap').style.width = '90%' }")  # drawn anew, the focus stays where it was
    expect(mark).to_be_focused()
    mark.press("Enter")
    expect(visit.page).to_have_url(re.compile(r"/alert\?.*id=a{33}"))


def test_a_value_narrows_the_search_and_a_point_has_its_chart(visit: Visit) -> None:
    visit.open("/explore?lang=en&range=8h&view=table")
    visit.page.get_by_role("link", name="write values").click()
    expect(visit.page).to_have_url(re.compile("q=ot.effect"))
    expect(visit.page.locator(".table tbody tr")).to_have_count(7)
    visit.open("/asset?lang=en&range=8h&asset=PLC-7")
    visit.page.get_by_role("link", name="chlorine set point (holding").click()
    expect(visit.page.locator(".values .last")).to_have_count(1)
    expect(visit.page.get_by_text("last 4.6 mg/L")).to_be_visible()
