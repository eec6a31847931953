"""From what is wrong to the packet in a real browser: the dissection, its bytes, evidence as a file, the text for the shift book."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sensors.dissection import available
from sensors.pcapng import read
from tests.browser.visiting import Visit, served, visiting
from tests.cli import stored
from tests.require import need

pytestmark = pytest.mark.browser
WROTE = {"en": "10.20.1.66, an engineering station, wrote to 10.20.1.12", "zh": "工程师站 10.20.1.66 向 10.20.1.12 写入或操作"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("demo")
    with served(home, shutil.copytree(stored()[0], home / "store")) as address:
        yield address


def test_three_clicks_to_the_packet_and_its_bytes(browser: Browser, demo: str, tmp_path: Path) -> None:
    need("tshark", available() is not None, "tshark is not installed")
    with visiting(browser, demo) as visit:
        page = visit.page
        visit.open("/?lang=en&range=all")
        page.get_by_test_id("stTopNavLink").get_by_text("Alerts").click()
        page.get_by_text(WROTE["en"]).click()
        lit = page.locator(".dissection .octet.chosen")
        expect(lit).to_have_text(["03", "b6"], timeout=30_000)
        expect(page.locator(".dissection .node.key .note")).to_have_text("before: 100–105")
        expect(page.locator(".dissection .readings")).to_contain_text("950")
        page.locator(".dissection .octet").nth(72).click()
        expect(page.locator(".dissection [aria-selected=true] .label")).to_have_text("Unit Identifier")
        expect(lit).to_have_text(["02"])
        expect(page).to_have_url(re.compile(r"[?&]node=[\d.]+"))
        sent = page.url
        page.locator(".dissection [aria-selected=true]").press("ArrowUp")
        expect(page.locator(".dissection [aria-selected=true] .label")).to_have_text("Length")
        expect(lit).to_have_text(["00", "06"])
        page.locator(".dissection [aria-selected=true]").press("ArrowLeft")
        expect(page.locator(".dissection [aria-selected=true] .label")).to_have_text("Modbus/TCP")
        page.locator(".packets [aria-selected=true]").press("ArrowDown")
        expect(page).to_have_url(re.compile(r"packet=\d+"))
        chosen = page.url.partition("packet=")[2].partition("&")[0]
        expect(page.locator(".dissection h3")).to_contain_text(f"Packet {chosen}")
        expect(page).not_to_have_url(re.compile("node="))
        page.goto(sent)
        expect(page.locator(".dissection [aria-selected=true] .label")).to_have_text("Unit Identifier", timeout=30_000)
        page.goto(re.sub("node=[^&]*", "node=9.9.9", sent))
        expect(page.locator(".dissection p.line")).to_have_text("The field that the address names is not in this packet.", timeout=30_000)
        expect(lit).to_have_text(["03", "b6"])
        taken_away(page, tmp_path / "evidence.pcapng")


def taken_away(page: Page, file: Path) -> None:
    """The packets of the demo's attack as a file, of which another tool says the same."""
    with page.expect_download() as given:
        page.get_by_role("button", name="Evidence").click()
    given.value.save_as(file)
    kept = list(read(file.read_bytes()))
    assert any(packet.octets.endswith(bytes.fromhex("02060010 03b6")) for packet in kept)
    program = shutil.which("capinfos") or ""
    need("tshark", bool(program), "capinfos, which comes with it, is not installed")
    told = subprocess.run([program, "-c", "-M", file], capture_output=True, text=True, check=True)
    assert re.search(rf"Number of packets:\s+{len(kept)}\b", told.stdout)


def test_a_row_that_is_chosen_stands_in_the_address_and_a_decision_takes_it_out(browser: Browser, demo: str) -> None:
    with visiting(browser, demo) as visit:
        page = visit.page
        visit.open("/explore?lang=en&range=all&view=table")
        row = page.locator(".table tr[data-id]").nth(3)
        row.locator("td").last.click()
        expect(row).to_have_attribute("aria-current", "true")
        expect(page).to_have_url(re.compile(f"chosen={row.get_attribute('data-id')}"))
        page.reload()
        expect(row).to_have_attribute("aria-current", "true")
        row.locator("td").last.click()
        expect(page).not_to_have_url(re.compile("chosen="))
        visit.open("/alerts?lang=en&range=all")
        page.locator(".queue .row:not(.head) input").nth(2).check()
        expect(page).to_have_url(re.compile("chosen=[0-9a-f]{20}"))
        page.reload()
        expect(page.locator(".queue .row:not(.head) input").nth(2)).to_be_checked(timeout=30_000)


def test_the_shift_book_is_copied_and_what_is_new_is_told_on_the_next_visit(browser: Browser, demo: str) -> None:
    with visiting(browser, demo) as visit:
        page = visit.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo)
        visit.open("/alerts?lang=zh&range=all")
        page.get_by_role("button", name="交接班文本").click()
        page.locator(".handover button").first.click()
        expect(page.locator(".handover [role=status]").first).to_have_text("已复制")
        assert "【未关闭告警】" in page.evaluate("navigator.clipboard.readText()")
        expect(page.locator(".queue .fresh")).to_have_count(0)
        mark = 1_795_365_801_000_000_000
        page.evaluate(
            "mark => { for (const name of Object.keys(localStorage)) if (name.startsWith('balefire.visit')) localStorage.setItem(name, mark) }", str(mark)
        )
        again = page.context.new_page()  # a tab of its own is a visit of its own
        again.goto(f"{demo}/alerts?lang=zh&range=all")
        expect(again.locator(".queue .fresh").first).to_have_text("上次之后", timeout=30_000)
        count = again.locator(".queue .fresh").count()
        again.get_by_text("上次查看之后").click()
        expect(again.locator(".queue .row:not(.head)")).to_have_count(count)
        again.get_by_role("button", name="已阅").click()
        expect(again.locator(".queue .fresh")).to_have_count(0)


def decided(visit: Visit, by: str) -> None:
    """What an analyst, logged in or not, does about the demo's attack, found in the list: takes it on and says what it was."""
    page = visit.page
    visit.open("/?lang=en&range=all")
    page.get_by_test_id("stTopNavLink").get_by_text("Alerts").click()
    page.get_by_text(WROTE["en"]).click()
    acknowledge, name = page.get_by_role("button", name="Acknowledge"), page.get_by_placeholder("Your name")
    expect(acknowledge).to_be_visible()
    if name.count():
        name.fill(by)
        name.press("Enter")
    acknowledge.click()
    trail = page.locator(".table", has_text="What was decided")
    expect(trail.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Close with verdict …").click()
    page.get_by_text("True: it was what it looked like").click()
    page.get_by_role("textbox", name="What was found or done").fill("A laptop of nobody's *knowing*")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(trail.locator("tbody tr").first).to_contain_text("A laptop of nobody's *knowing*")
    expect(trail.locator("tbody tr").first).to_contain_text(by)
    expect(page.get_by_role("textbox", name="What was found or done")).to_have_count(0)  # the form has closed


def test_an_attack_is_decided_about_and_its_like_hidden(browser: Browser, demo: str) -> None:
    with visiting(browser, demo) as visit:
        decided(visit, "Li Wei")
        hidden(visit, "Li Wei")


def hidden(visit: Visit, by: str) -> None:
    """… and that its like is to be hidden, which is asked twice: it was found true."""
    page = visit.page
    page.get_by_role("button", name="Suppress …").click()
    reason = page.get_by_role("textbox", name="Why are these findings expected?")
    reason.fill("The laptop has a place of its own now")
    reason.blur()
    page.get_by_text("I have read that this would have hidden what was found true").click()
    page.get_by_role("button", name="Suppress", exact=True).click()
    expect(page.get_by_text("it hides from the newest packet on")).to_be_visible()
    page.get_by_test_id("stTopNavLink").get_by_text("Suppressions").click()
    expect(page.locator(".table", has_text=by)).to_contain_text("The laptop has a place of its own now")
