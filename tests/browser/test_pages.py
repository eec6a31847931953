"""The pages from the real server in a real browser: what appears, what is refused, and that nothing leaves this machine."""

import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import waterworks
from tests.browser.visiting import Visit, served
from tests.browser.waterworks import HOSTILE, STORY

pytestmark = pytest.mark.browser
HEADS = {"en": "Chlorine set point on PLC-7 written by a station that never wrote it", "zh": "从未写过该点的工程师站改写了 PLC-7 的加氯设定值"}
FIRST = {  # what Situation says first; where a Chinese line may break nothing is seen
    "en": f"Since 22:12: {HEADS['en']}; blind for 4 min on SPAN-2",
    "zh": re.compile(rf"^22:12 以来：\u200b{HEADS['zh']}；\u200bSPAN-2 有 4 分钟\u200b没有看到数据包$"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    waterworks.fill(home / "store")
    with served(home, home / "store") as address:
        yield address


@pytest.mark.parametrize("language", ["en", "zh"])
def test_situation(visit: Visit, language: str) -> None:
    visit.open(f"/?lang={language}")
    expect(visit.page.locator("h1")).to_have_text(FIRST[language])
    expect(visit.page.get_by_text({"en": "Red warning · level I", "zh": "红色预警"}[language]).first).to_be_visible()
    expect(visit.page.get_by_text("22 Nov 2026, 03:12 (UTC+8)" if language == "en" else "2026-11-22 03:12（UTC+8）")).to_be_visible()
    expect(visit.page.locator(".timeline .blind")).to_have_count(1)
    expect(visit.page.locator("html")).to_have_attribute("lang", {"en": "en", "zh": "zh-CN"}[language])
    expect(visit.page.get_by_test_id("stApp")).to_have_css("background-color", "rgb(251, 251, 249)")  # the theme is in force


def test_from_the_situation_to_what_is_new_and_to_the_shift_book(visit: Visit) -> None:
    visit.open("/?lang=en&range=24h")
    expect(visit.page.locator(".timeline text.began")).to_have_text("since 22:12 · PLC-7")
    visit.page.get_by_role("button", name="What is new").click()
    expect(visit.page).to_have_url(re.compile(r"/alerts\?.*new=1"))
    visit.page.go_back()
    visit.page.get_by_role("button", name="Hand-over text").click()
    expect(visit.page.locator(".handover textarea, .handover pre").first).to_be_visible()


def test_the_wall_turns_between_three_faces(visit: Visit) -> None:
    first = waterworks.NOW // 1_000_000_000 // 45 * 45
    visit.page.clock.set_fixed_time(first)  # what the browser shows, not what is stored
    visit.open("/?view=wall&lang=en&range=24h")
    expect(visit.page.locator(".wall h1")).to_have_text(FIRST["en"])
    expect(visit.page.get_by_test_id("stTopNavLink")).to_have_count(0)
    expect(visit.page.locator(".wall .face").first).not_to_have_class("face off")
    visit.page.clock.set_fixed_time(first + 15)
    expect(visit.page.locator(".wall .face").first).to_have_class("face off")
    expect(visit.page.locator(".wall .alert .title", has_text=HOSTILE)).to_be_visible()
    assert visit.page.locator("img[src=x]").count() == 0
    visit.page.clock.set_fixed_time(first + 30)
    expect(visit.page.locator(".wall .face").nth(1)).to_have_class("face off")
    expect(visit.page.locator(".wall .sensor.silent")).to_have_count(0)
    expect(visit.page.locator(".wall .sensor", has_text="SPAN-2")).to_contain_text("99.94 %")
    size = visit.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert size[0] == size[1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_from_the_list_to_the_alert_and_back(visit: Visit, language: str) -> None:
    visit.open(f"/alerts?lang={language}")
    visit.page.get_by_text(HEADS[language]).click()
    expect(visit.page.locator("h1")).to_have_text(HEADS[language])
    expect(visit.page).to_have_url(re.compile(rf"/alert\?.*id=a{STORY}"))
    expect(visit.page.locator(".waterfall .sum .number")).to_have_text("91")
    expect(visit.page.get_by_text({"en": "Modify Parameter", "zh": "修改参数"}[language])).to_be_visible()
    expect(visit.page.get_by_text("umas_download")).to_be_visible()
    expect(visit.page.locator(".normal svg .band")).to_be_visible()
    expect(visit.page.locator(".normal svg")).to_contain_text("4.6")
    expect(visit.page.locator(".normal .doers")).to_contain_text("ENG-WS-2")
    alerts = visit.page.get_by_test_id("stTopNavLink").get_by_text({"en": "Alerts", "zh": "告警"}[language])
    expect(alerts).to_have_css("font-weight", "600")  # where one is
    alerts.click()
    expect(visit.page.locator(".queue .row").nth(1)).to_contain_text(HEADS[language])


def test_from_one_alert_to_the_next(visit: Visit) -> None:
    visit.open("/alerts?lang=en&range=all&q=severity%3A%3E%3D60")
    titles = visit.page.locator(".queue .row .title")
    expect(titles.nth(1)).to_be_visible()
    top, second = titles.all_inner_texts()[:2]
    titles.first.click()
    expect(visit.page.locator("h1")).to_have_text(top)
    expect(visit.page.get_by_text(re.compile(r"^1 of \d+ in the list$"))).to_be_visible()
    expect(visit.page.get_by_role("button", name="Previous")).to_be_disabled()
    first = visit.page.url
    visit.page.keyboard.press("j")
    expect(visit.page.get_by_text(re.compile(r"^2 of \d+ in the list$"))).to_be_visible()
    expect(visit.page).not_to_have_url(first)
    expect(visit.page.locator("h1")).to_have_text(second)
    visit.page.get_by_role("button", name="Previous").click()
    expect(visit.page).to_have_url(first)
    visit.open(f"/alert?lang=en&id=a{STORY}")
    expect(visit.page.get_by_text(re.compile(r"in the list$"))).to_have_count(0)


def test_keys_lead_through_the_list_and_to_pages(visit: Visit) -> None:
    """Each does what the list of keys says, and nothing while somebody types."""
    visit.open("/alerts?lang=en&range=all")
    keyboard, help_of = visit.page.keyboard, visit.page.get_by_role("dialog", name="Keys")
    expect(visit.page.locator(".queue .row").nth(3)).to_be_visible()
    keyboard.press("?")
    expect(help_of).to_be_visible()
    keyboard.press("j")
    keyboard.press("?")
    expect(help_of).to_be_hidden()
    for key in "jjkjx":
        keyboard.press(key)
    titles, boxes = visit.page.locator(".queue .row:not(.head) a.title"), visit.page.locator(".queue .row:not(.head) input")
    expect(visit.page.get_by_text("1 chosen")).to_be_visible()
    expect(titles.nth(1)).to_be_focused()
    expect(boxes.nth(1)).to_be_checked()
    keyboard.press("j")  # the list was drawn anew: the place in it is what it was
    keyboard.press("x")
    expect(visit.page.get_by_text("2 chosen")).to_be_visible()
    expect(titles.nth(2)).to_be_focused()
    expect(boxes.nth(2)).to_be_checked()
    boxes.nth(3).click()
    expect(visit.page.get_by_text("3 chosen")).to_be_visible()
    expect(boxes.nth(3)).to_be_focused()
    keyboard.press("k")
    expect(titles.nth(2)).to_be_focused()
    keyboard.press("/")
    box = visit.page.get_by_test_id("stMain").get_by_role("textbox").first
    expect(box).to_be_focused()
    keyboard.type("?gs j/k")
    expect(box).to_have_value("?gs j/k")
    expect(help_of).to_be_hidden()
    box.fill("")
    box.blur()
    keyboard.press("g")
    keyboard.press("i")
    expect(visit.page).to_have_url(re.compile(r"/assets\?(.*&)?range=all"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_several_are_acknowledged_at_once(visit: Visit, language: str) -> None:
    visit.open(f"/alerts?lang={language}&range=all&status=only_open")
    expect(visit.page.locator(".queue .row").nth(3)).to_be_visible()
    count = visit.page.locator(".queue .row").count()
    for many in (1, 2):
        visit.page.locator(".queue .row input").nth(count - many).check()
        expect(visit.page.get_by_text({"en": f"{many} chosen", "zh": f"已选 {many} 条"}[language])).to_be_visible()
    name = visit.page.get_by_placeholder({"en": "Your name", "zh": "您的姓名"}[language])
    name.fill("Li Wei")
    name.press("Enter")
    visit.page.get_by_role("button", name={"en": "Acknowledge", "zh": "受理"}[language], exact=False).first.click()
    expect(visit.page.locator(".queue .row")).to_have_count(count - 2)
    expect(visit.page.get_by_text({"en": "2 chosen", "zh": "已选 2 条"}[language])).to_have_count(0)
    visit.page.locator(".queue .row input").nth(1).check()
    expect(visit.page.get_by_text({"en": "1 chosen", "zh": "已选 1 条"}[language])).to_be_visible()


def test_one_is_decided_about_and_its_trail_tells(visit: Visit) -> None:
    visit.open(f"/alert?lang=zh&id=a{STORY}")
    name = visit.page.get_by_placeholder("您的姓名")
    name.fill("李伟")
    name.press("Enter")
    visit.page.get_by_role("button", name="备注…").click()
    visit.page.get_by_role("textbox", name="查到或处理了什么").fill(HOSTILE)
    visit.page.get_by_role("button", name="添加备注").click()
    expect(visit.page.locator(".table", has_text="处置记录").get_by_text(HOSTILE)).to_be_visible()
    expect(visit.page.locator(".table", has_text="处置记录").get_by_text("李伟")).to_be_visible()
    assert visit.page.locator("img[src=x]").count() == 0


def test_a_suppression_is_shown_before_it_is_saved(visit: Visit) -> None:
    visit.open(f"/alert?lang=en&id=a{STORY}")
    visit.page.get_by_role("button", name="Suppress …").click()
    expect(visit.page.get_by_text("It would have hidden")).to_be_visible()
    expect(visit.page.get_by_text("10.20.3.42").first).to_be_visible()
    expect(visit.page.locator(".unseen .row", has_text="PLC-7")).to_be_visible()
    visit.page.get_by_role("button", name="Back to the alert").click()
    expect(visit.page).to_have_url(re.compile(r"/alert\?"))


def test_a_link_to_one_alert_says_it_all(visit: Visit) -> None:
    visit.open(f"/alerts?lang=zh&range=7d&id=a{STORY}")
    expect(visit.page.locator("h1")).to_have_text(HEADS["zh"])
    expect(visit.page).to_have_url(re.compile(r"/alert\?.*range=7d"))


def test_the_language_switch_stands_in_the_address(visit: Visit) -> None:
    visit.open("/")
    visit.page.get_by_text("中文", exact=True).click()
    expect(visit.page.locator("h1")).to_contain_text(HEADS["zh"])
    expect(visit.page).to_have_url(re.compile("lang=zh"))
    visit.page.get_by_text("8 小时", exact=True).click()
    expect(visit.page).to_have_url(re.compile("range=8h"))
    expect(visit.page.get_by_text("之前的 8 小时")).to_be_visible()


def test_a_hostile_title_is_text(visit: Visit) -> None:
    visit.open("/alerts?lang=en")
    expect(visit.page.locator(".queue .title", has_text=HOSTILE)).to_be_visible()
    visit.open("/alert?lang=en&id=a" + "e" * 32)
    expect(visit.page.locator("h1")).to_have_text(HOSTILE)
    visit.open("/?lang=en")
    expect(visit.page.locator(".risk b", has_text=HOSTILE)).to_be_visible()
    assert visit.page.locator("img[src=x]").count() == 0
    assert visit.page.title() != "owned"


def test_a_hostile_search_is_answered_in_place(visit: Visit) -> None:
    visit.open("/alerts?lang=en")
    box = visit.page.get_by_role("textbox")
    box.fill(f'aset:"{HOSTILE}"')
    box.press("Enter")
    expect(visit.page.get_by_text("Did you mean assets")).to_be_visible()
    box.fill("severity:>=80")
    box.press("Enter")
    expect(visit.page.locator(".queue .row")).to_have_count(2)
    expect(visit.page).to_have_url(re.compile("q=severity"))


def test_dark_follows_the_reader(browser: Browser, base: str) -> None:
    context = browser.new_context(color_scheme="dark")
    seen = Visit(context.new_page(), base)
    seen.open("/?lang=en")
    expect(seen.page.locator("h1")).to_be_visible()
    expect(seen.page.get_by_test_id("stApp")).to_have_css("background-color", "rgb(18, 23, 27)")
    context.close()


def test_only_this_machine_is_answered(base: str) -> None:
    port = int(base.rsplit(":", 1)[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the address others would reach us at
        except OSError:
            pytest.skip("no network: there is no other address to try")
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("no other address to try")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), 2)
