"""Who may see and do what: accounts in a file of their own, sessions in a cookie, and the door before every page."""
