"""The login form: plain HTML, so that strangers meet as little of the program as can be."""

from html import escape
from string import Template
from typing import Final

_PAGE: Final = Template("""<!doctype html>
<html lang="en" class="$theme">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in · Lunaport</title>
<link rel="icon" href="/_lunaport/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/_lunaport/page.css">
</head>
<body class="login-body">
<main class="login">
<div class="login-brand"><img src="/_lunaport/icon.svg" alt="" width="44" height="44"><h1>Lunaport</h1></div>
<form method="post" action="/login" class="card">
$problem<input type="hidden" name="next" value="$next">
<label for="name">User</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="63"
 value="$name" $focus_name>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256"
 $focus_password>
<button type="submit" class="button primary">Log in</button>
</form>
<p class="hint">The first start of the NAS prints the password of <code>admin</code>.</p>
</main>
</body>
</html>
""")


def login_page(*, problem: str = "", name: str = "", after: str = "/", theme: str = "") -> str:
    """The form; `problem` says why the last try failed, `after` where to go."""
    shown = f'<p class="problem" role="alert" id="problem">{escape(problem)}</p>\n' if problem else ""
    return _PAGE.substitute(
        problem=shown,
        name=escape(name, quote=True),
        next=escape(after, quote=True),
        theme=theme if theme in {"dark", "light"} else "",
        focus_name="" if name else "autofocus",
        focus_password="autofocus" if name else "",
    )


def safe_next(text: str) -> str:
    """A path of this NAS to go to, never of another place."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable() or len(text) > 512:
        return "/"
    return "/" if text.startswith(("/login", "/logout", "/_")) else text
