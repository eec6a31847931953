"""Navigation only."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboards.page import language, remember
from records.wording import say

HERE = Path(__file__).parent
STYLE = (HERE / "kit" / "page.css").read_text("utf-8")

remember("lang", "range")
code = language()
st.set_page_config(page_title="Balefire", page_icon=str(HERE / "logo" / "mark.svg"), layout="wide", menu_items={"About": say("dashboard.about", code)})
st.html(f"<style>{STYLE}</style>")
chosen = st.navigation(
    [
        st.Page("views/situation.py", title=say("dashboard.page.situation", code), default=True),
        st.Page("views/alerts.py", title=say("dashboard.page.alerts", code), url_path="alerts"),
        st.Page("views/alert.py", title=say("dashboard.page.alert", code), url_path="alert", visibility="hidden"),
        st.Page("views/assets.py", title=say("dashboard.page.assets", code), url_path="assets"),
        st.Page("views/asset.py", title=say("dashboard.page.asset", code), url_path="asset", visibility="hidden"),
        st.Page("views/network.py", title=say("dashboard.page.network", code), url_path="network"),
        st.Page("views/explore.py", title=say("dashboard.page.explore", code), url_path="explore"),
        st.Page("views/rulebook.py", title=say("dashboard.page.rulebook", code), url_path="rulebook"),
        st.Page("views/rule.py", title=say("dashboard.page.rule", code), url_path="rule", visibility="hidden"),
        st.Page("views/covering.py", title=say("dashboard.page.coverage", code), url_path="coverage"),
        st.Page("views/suppressions.py", title=say("dashboard.page.suppressions", code), url_path="suppressions"),
        st.Page("views/auditing.py", title=say("dashboard.page.audit", code), url_path="audit"),
        st.Page("views/suppress.py", title=say("dashboard.page.suppress", code), url_path="suppress", visibility="hidden"),
    ],
    position="top",
)
st.logo(str(HERE / "logo" / "logo.svg"), size="medium")
chosen.run()
