"""Flask with its own sessions, which sign and leave readable, under gunicorn's threads."""

from pathlib import Path

from flask import Flask, redirect, request, session
from markupsafe import escape

ROOT = Path(__file__).resolve().parents[3]
LOGIN_PAGE = "/public/login.html"
PAGE = (ROOT / "benches" / "peers" / "home.html").read_text()

app = Flask(__name__, static_url_path="/public", static_folder=ROOT / "static")
app.secret_key = "an authentication key"


@app.get("/")
def home():
    username = session.get("username")
    if not username:
        return redirect(LOGIN_PAGE, 303)
    return PAGE.replace("{name}", escape(username))


@app.post("/login")
def login():
    if (request.form["username"], request.form["password"]) != ("foo", "secret"):
        return redirect(f"{LOGIN_PAGE}#failed", 303)
    session["username"] = "foo"
    return redirect("/", 303)


@app.get("/fill")
def fill():
    """Keeps so many bytes in the session."""
    session["values"] = "v" * int(request.args["size"])
    return redirect("/", 303)
