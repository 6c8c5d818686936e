"""What a DNS name is made of: its registered domain, its entropy, and how much its letters surprise a reader.

The letter model is ours: bigrams of `FRAGMENTS`, the pieces that people build names from, smoothed. A name made by a
program surprises it by about 5 bits a letter and more, a chosen one by about 4.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import Final

SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gob", "gov", "ltd", "mil", "ne", "net", "nom", "or", "org"})
DYNAMIC: Final = frozenset({
    "changeip.com", "ddns.net", "duckdns.org", "dyndns.org", "dynserv.com", "dynu.com", "freedns.org", "hopto.org",
    "mooo.com", "no-ip.biz", "no-ip.com", "no-ip.info", "no-ip.org", "sytes.net", "yi.org", "zapto.org",
})  # fmt: skip
"""Providers of dynamic DNS: whoever asks gets a name below these, so that is the registered domain."""

LOCAL: Final = frozenset({
    "arpa", "corp", "domain", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain",
    "localhost", "private", "test", "workgroup",
})  # fmt: skip
"""Top-level names that never leave a site."""

FRAGMENTS: Final = (  # noqa: SIM905 - five hundred quoted words are worse to read
    """
about access account action active agency air alert all america animal answer apple art auto baby bank bar base beach
beauty best bet big bike bit black blog blue board body book box boy brand bright build business buy cake call camera
camp canada capital car card care cart casa cash cast center central chain change chat cheap check chicken china choice
church city class clean clear click clinic cloud club coast code coffee college color comic company computer connect
cook cool corner country credit cross crystal cyber daily dance data date day deal dealer dental design digital direct
discount doctor dog dollar download dragon dream drive drug earth easy eco edge education electric energy engine english
enter entertain estate euro event ever exchange expert express eye face factory family fan farm fashion fast father
film finance find fire first fish fit flash flight flower food foot force forum found france free fresh friend fruit
full fun fund future galaxy gallery gamer games garden gate german gift girl glass global gold golf good google grand
graph great green group guard guide guitar hair hand happy hard health heart heaven help here high hill history hobby
home horse hospital host hot hotel house human hunter idea image india industry info inter international internet
invest island italy japan jewel job journal junior just key kid kind king kitchen know lady lake land language laser
law learn legal life light like line link liquid list live loan local logic london look love lucky luxury magazine magic
mail make mania map mark market marine master match max media medical meet mega member metal micro mini mobile model
modern money moon mortgage mother motion motor mountain movie music nation natural nature net network new news next
night north note now number ocean offer office official oil online open orange organic original outdoor page paint
palace paper paradise park part partner party pass patient pay peace people perfect pet phone photo picture pink pixel
place planet plant play plus pocket point poker police pool pop portal post power premium press price prime print
private pro product profit project property public pure quality quick race radio rain real record red rent report
research resort rest review rich ring river road rock room root rose royal safe sail sale salon samsung satellite save
school science screen sea search secret secure self sell senior service sex shadow share ship shirt shoes shop shore
short show sign silver simple single site skill skin sky sleep small smart smile smoke snow social soft solar solution
sound source south space spain special speed spirit sport spring square stage star start state station stay steel
stock stone storage store storm story street strong student studio style sugar summer sun super supply support surf
sweet swim swiss system table talent talk target tattoo tax teacher team tech technology teen television temple tennis
test text theater their think ticket tiger time today together tool top total touch tour tower town toy track trade
traffic train transfer travel tree trend trip truck true trust tube turbo twin ultra union unique united universe
university update urban usa vacation valley value vegas vehicle video view village vintage vision visit vital voice
wall watch water wave way wealth weather web wedding week west wheel white wild wind window wine winter wireless wolf
woman wonder wood word work world write yacht yahoo year yellow yoga young your youth zone
das der die haus und stadt zeit spiel kauf welt berg schule deutsch les des pour avec maison monde vie mode voyage
achat jeux femme sante una los las para casa mundo vida tienda juegos viajes noticias foto libre grupo amigos
della italia scuola prezzi viaggi corso voor huis winkel wereld nieuws moda loja jogos brasil sukaz ruski mir dom
tokyo sakura nihon kawa yama taro moto hong kong shang wang zhang chen ling xiao jing yuan mumbai hindi raja guru
ali mohamed khan sultan arab turk kara deniz polska praca sklep nowy miasto svet obchod praha magyar bolt
"""
).split()


def registered(name: str) -> tuple[str, str]:
    """What stands left of the registered domain, and the domain; of a local or single-label name ("", "").

    >>> registered("a.b.example.com"), registered("x.shop.co.uk"), registered("4.3.2.1.in-addr.arpa")
    (('a.b', 'example.com'), ('x', 'shop.co.uk'), ('', ''))
    >>> registered("a.bot.duckdns.org"), registered("duckdns.org")
    (('a', 'bot.duckdns.org'), ('', 'duckdns.org'))
    """
    labels = name.rstrip(".").lower().split(".")
    if len(labels) < 2 or labels[-1] in LOCAL or not labels[-2]:
        return "", ""
    rented = (len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL) or f"{labels[-2]}.{labels[-1]}" in DYNAMIC
    cut = 3 if rented and len(labels) > 2 else 2
    return ".".join(labels[:-cut]), ".".join(labels[-cut:])


def entropy(text: str) -> float:
    """Shannon entropy, bits per character.

    >>> entropy("aabb"), entropy("aaaa")
    (1.0, 0.0)
    """
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) + 0.0


@lru_cache(maxsize=1)
def _bigrams() -> dict[str, float]:
    """Bits of surprise of each pair of letters: of the second letter after the first, smoothed."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = Counter(word[i : i + 2] for word in FRAGMENTS for i in range(len(word) - 1))
    firsts = Counter({a: sum(pairs[a + b] for b in letters) for a in letters})
    return {
        a + b: -math.log2((pairs[a + b] + 0.5) / (firsts[a] + 0.5 * len(letters))) for a in letters for b in letters
    }


DIGIT_BITS: Final = 6.5
"""Surprise of a digit beside a letter, or of a digit after a digit inside a name."""


def strangeness(label: str) -> float:
    """Mean surprise of a label's letters, in bits; a hyphen joins words and surprises nobody.

    >>> strangeness("mountainbikeshop") < 4.2 < 5.0 < strangeness("xkvqjzwplrtmhb")
    True
    """
    bits = _bigrams()
    pairs = [label[i : i + 2] for i in range(len(label) - 1) if "-" not in label[i : i + 2]]
    return sum(bits.get(pair, DIGIT_BITS) for pair in pairs) / len(pairs) if pairs else 0.0
