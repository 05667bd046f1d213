#!/usr/bin/env python3
"""Independent reference for the seal format (docs/seal.md), on PyPI's `cryptography`.

  reference.py vectors            print the test vectors as JSON
  reference.py open NAME VALUE    open a cookie value with the keys in the environment
                                  (SESSION_AUTHENTICATION_KEY, SESSION_ENCRYPTION_KEY), print it as JSON
"""
import base64, hashlib, hmac, json, os, struct, sys
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT = b"waxseal/v1"
VALUES, STORED, VALUES_WITH_LIFETIME, STORED_WITH_LIFETIME = b"\x01", b"\x02", b"\x03", b"\x04"
HEADER, LIFETIME, SIV, MAC = 33, 17, 16, 32
# A time that is the settings' one; the flag of a cookie that ends with the browser.
UNBOUNDED, ENDS_WITH_BROWSER = 2**64 - 1, 1


def derive(key: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, SALT, info).derive(key)


def keys(authentication: bytes, encryption: bytes):
    return derive(authentication, b"authenticate", 32), derive(encryption, b"encrypt", 64)


def seal(name: bytes, payload: bytes, session: bytes, created: int, sealed: int, authentication: bytes, encryption: bytes, version: bytes = VALUES, lifetime=None) -> str:
    mac_key, siv_key = keys(authentication, encryption)
    header = version + session + struct.pack(">QQ", created, sealed)
    if lifetime is not None:
        idle, absolute, ends_with_browser = lifetime
        times = [UNBOUNDED if time is None else time for time in (idle, absolute)]
        header += struct.pack(">QQB", *times, ENDS_WITH_BROWSER if ends_with_browser else 0)
    context = name + b"\x00" + header
    # `cryptography` refuses an empty plaintext, so the format never has one
    body = AESSIV(siv_key).encrypt(payload, [context])
    tag = hmac.new(mac_key, context + body, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(header + body + tag).rstrip(b"=").decode()


def unseal(name: bytes, value: str, authentication: bytes, encryption: bytes):
    mac_key, siv_key = keys(authentication, encryption)
    raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != value:
        raise ValueError("not canonical base64url")
    version, has_lifetime = raw[:1], raw[:1] in (VALUES_WITH_LIFETIME, STORED_WITH_LIFETIME)
    length = HEADER + (LIFETIME if has_lifetime else 0)
    if len(raw) <= length + SIV + MAC or not (has_lifetime or version in (VALUES, STORED)):
        raise ValueError("not a seal of version 1 to 4")
    header, body, tag = raw[:length], raw[length:-MAC], raw[-MAC:]
    context = name + b"\x00" + header
    if not hmac.compare_digest(hmac.new(mac_key, context + body, hashlib.sha256).digest(), tag):
        raise ValueError("the authentication tag does not match")
    session, created, sealed = struct.unpack(">16sQQ", header[1:HEADER])
    payload = AESSIV(siv_key).decrypt(body, [context])
    if version in (STORED, STORED_WITH_LIFETIME) and payload != b"stored":
        raise ValueError("a seal of version 2 or 4 without its one payload")
    lifetime = None
    if has_lifetime:
        idle, absolute, flags = struct.unpack(">QQB", header[HEADER:])
        lifetime = *(None if time == UNBOUNDED else time for time in (idle, absolute)), bool(flags & ENDS_WITH_BROWSER)
    return session, created, sealed, lifetime, payload


def lifetime_json(lifetime):
    return lifetime and dict(zip(("idle", "absolute", "ends_with_browser"), lifetime))


def vectors():
    auth = b"an authentication key of any length"
    pairs = [
        ("one value", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef"),
        ("24-byte encryption key", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef01234567"),
        ("32-byte encryption key", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef0123456789abcdef"),
        ("64-byte encryption key, all of it used", b"waxseal", [("username", "foo")], auth, b"0123456789abcdef" * 4),
        ("short authentication key", b"waxseal", [("username", "foo")], b"k", b"0123456789abcdef"),
        ("__Host- name", b"__Host-waxseal", [("username", "foo")], auth, b"0123456789abcdef"),
        ("several values, in key order", b"cart", [("a", "1"), ("b", "two words"), ("c", "&=+%")], auth, b"0123456789abcdef"),
        ("beyond ASCII", b"waxseal", [("username", "Ægir 雪 🦀")], auth, b"0123456789abcdef"),
        ("empty value", b"waxseal", [("username", "")], auth, b"0123456789abcdef"),
        ("two kilobytes", b"waxseal", [("note", "x" * 2048)], auth, b"0123456789abcdef"),
        ("flashes after the values, in order", b"waxseal", [("username", "foo"), ("_flash", "Signed in"), ("_flash", "Twice")], auth, b"0123456789abcdef"),
    ]
    out = []
    for title, name, values, a, e in pairs:
        payload = urlencode(values).encode()
        session, created, sealed = bytes(range(16)), 1795392000, 1795395600
        value = seal(name, payload, session, created, sealed, a, e)
        assert unseal(name, value, a, e) == (session, created, sealed, None, payload)
        out.append({
            "title": title, "version": 1, "name": name.decode(), "pairs": [list(pair) for pair in values], "payload": payload.decode(),
            "id": session.hex(), "created": created, "sealed": sealed, "authentication_key": a.decode(), "encryption_key": e.decode(),
            "cookie_value": value,
        })
    session, created, sealed, e = bytes(range(16)), 1795392000, 1795395600, b"0123456789abcdef"
    value = seal(b"waxseal", b"stored", session, created, sealed, auth, e, STORED)
    assert unseal(b"waxseal", value, auth, e) == (session, created, sealed, None, b"stored")
    out.append({"title": "the values are in a store", "version": 2, "name": "waxseal", "pairs": [], "payload": "stored",
                "id": session.hex(), "created": created, "sealed": sealed, "authentication_key": auth.decode(), "encryption_key": e.decode(),
                "cookie_value": value})
    with_lifetime = [
        ("an idle time of its own", VALUES_WITH_LIFETIME, (900, None, False)),
        ("a lifetime of its own", VALUES_WITH_LIFETIME, (None, 43200, False)),
        ("the cookie ends with the browser", VALUES_WITH_LIFETIME, (None, None, True)),
        ("times of its own, and the cookie ends with the browser", VALUES_WITH_LIFETIME, (900, 43200, True)),
        ("times longer than those of any settings", VALUES_WITH_LIFETIME, (2**63, 2**64 - 2, False)),
        ("the values are in a store, with a lifetime of its own", STORED_WITH_LIFETIME, (900, 43200, True)),
    ]
    for title, version, lifetime in with_lifetime:
        values = [("username", "foo")] if version == VALUES_WITH_LIFETIME else []
        payload = urlencode(values).encode() or b"stored"
        value = seal(b"waxseal", payload, session, created, sealed, auth, e, version, lifetime)
        assert unseal(b"waxseal", value, auth, e) == (session, created, sealed, lifetime, payload)
        out.append({"title": title, "version": version[0], "name": "waxseal", "pairs": [list(pair) for pair in values], "payload": payload.decode(),
                    "id": session.hex(), "created": created, "sealed": sealed, "lifetime": lifetime_json(lifetime),
                    "authentication_key": auth.decode(), "encryption_key": e.decode(), "cookie_value": value})
    return {"format": "waxseal seal", "vectors": out}


def main(argv):
    if argv[1:] == ["vectors"]:
        print(json.dumps(vectors(), ensure_ascii=False, indent=1))
    elif len(argv) == 4 and argv[1] == "open":
        try:
            session, created, sealed, lifetime, payload = unseal(argv[2].encode(), argv[3],
                                              os.environb[b"SESSION_AUTHENTICATION_KEY"], os.environb[b"SESSION_ENCRYPTION_KEY"])
        except (ValueError, InvalidTag) as error:
            sys.exit(f"not opened: {error!r}")
        print(json.dumps({"id": session.hex(), "created": created, "sealed": sealed, "lifetime": lifetime_json(lifetime), "values": {} if payload == b"stored" else dict(parse_qsl(payload.decode(), keep_blank_values=True))}, ensure_ascii=False))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
