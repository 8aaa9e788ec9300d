"""Personal data and secrets made up by chance, valid by the libraries' own rules, to be planted into text."""

import ipaddress
import random
import string
from importlib import import_module

import phonenumbers
from stdnum import iban, luhn

LETTERS, DIGITS = string.ascii_letters, string.digits
BASE62 = LETTERS + DIGITS


def chars(rng: random.Random, alphabet: str, number: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(number))


def email(rng):
    local = rng.choice(["ann", "b.smith", "jo_doe", "x+news", "mary-lou"]) + str(rng.randrange(100))
    return f"{local}@{rng.choice(['mail.example', 'uni-ulm.de', 'a.co.uk', 'example.org'])}"


def ip(rng):
    while True:
        bits = rng.getrandbits(32) if rng.random() < 0.7 else (0x2A << 120) | rng.getrandbits(116)
        address = ipaddress.ip_address(bits)
        if address.is_global and not address.is_multicast and len(str(address)) > len("8.12.34.5"):
            return str(address)


def phone(rng):
    region = rng.choice(["US", "DE", "FR", "GB", "IN", "BR", "JP", "ES"])
    number = phonenumbers.example_number(region)
    formats = phonenumbers.PhoneNumberFormat
    style = rng.choice([formats.INTERNATIONAL, formats.E164]) if region != "US" else formats.NATIONAL
    return phonenumbers.format_number(number, style)


def account(rng):
    country, length = rng.choice([("DE", 18), ("AT", 16), ("PL", 24), ("NL", 10)])
    bban = chars(rng, string.ascii_uppercase, 4) * (country == "NL") + chars(rng, DIGITS, length)
    while True:
        number = f"{country}{iban.calc_check_digits(country + '00' + bban)}{bban}"
        if iban.is_valid(number):
            return iban.format(number) if rng.random() < 0.5 else number
        bban = bban[: -length or None] + chars(rng, DIGITS, length)


def card(rng):
    start, length = rng.choice([("4", 16), ("53", 16), ("37", 15), ("6011", 16), ("2300", 16), ("36", 14)])
    number = start + chars(rng, DIGITS, length - len(start) - 1)
    number += luhn.calc_check_digit(number)
    if length == 16 and rng.random() < 0.5:
        sign = rng.choice(" -")
        return sign.join(number[i : i + 4] for i in range(0, 16, 4))
    return number


SHAPES = {
    "us.ssn": ("{1}00-{2}-{4}", ""),
    "es.dni": ("{8}{L}", ""),
    "br.cpf": ("{3}.{3}.{3}-{2}", ""),
    "fr.nir": ("1 85 05 78 {3} {3} {2}", ""),
    "be.nn": ("85.07.30-{3}.{2}", ""),
    "fi.hetu": ("131052-{3}{L}", ""),
    "it.codicefiscale": ("RSSMRA85T10A{3}{L}", ""),
    "cn.ric": ("36042619910107{4}", ""),
    "de.idnr": ("{2} {3} {3} {3}", "Steuer-ID "),
    "nl.bsn": ("{9}", "BSN: "),
    "pl.pesel": ("850714{5}", "PESEL "),
    "gb.nhs": ("{3} {3} {4}", "NHS number "),
}


def national_id(rng):
    name = rng.choice(list(SHAPES))
    shape, context = SHAPES[name]
    module = import_module(f"stdnum.{name}")
    while True:
        text = shape.replace("{L}", rng.choice(string.ascii_uppercase))
        for size in range(1, 10):
            while f"{{{size}}}" in text:
                text = text.replace(f"{{{size}}}", chars(rng, DIGITS, size), 1)
        if module.is_valid(text):
            return context, text


SECRETS = (
    lambda r: "ghp_" + chars(r, BASE62, 36),
    lambda r: "AKIA" + chars(r, string.ascii_uppercase + "234567", 16),
    lambda r: "sk_live_" + "4" + chars(r, BASE62, 23),
    lambda r: f"xoxb-{chars(r, DIGITS, 12)}-{chars(r, DIGITS, 12)}-{chars(r, string.ascii_lowercase, 24)}",
    lambda r: "glpat-" + "7" + chars(r, BASE62, 19),
    lambda r: "SG." + "3" + chars(r, BASE62, 21) + "." + chars(r, BASE62, 43),
    lambda r: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9." + chars(r, BASE62, 43),
    lambda r: (
        f"-----BEGIN EC PRIVATE KEY-----\n{chars(r, BASE62, 64)}\n{chars(r, BASE62, 30)}\n-----END EC PRIVATE KEY-----"
    ),
)


AUTH_TOKEN = "//registry.npmjs.example/:_authToken="


def secret(rng):
    number = rng.randrange(len(SECRETS) + 1)
    return SECRETS[number](rng) if number < len(SECRETS) else (AUTH_TOKEN, "npm_3" + chars(rng, BASE62, 35))


MAKERS = {
    "email": email,
    "ip": ip,
    "phone": phone,
    "iban": account,
    "card": card,
    "national_id": national_id,
    "secret": secret,
}


def planted(kind: str, rng: random.Random) -> tuple[str, str]:
    """Words that must stand before it (mostly none), and the value."""
    made = MAKERS[kind](rng)
    return made if isinstance(made, tuple) else ("", made)
