"""What a tenant may write as a template, and what is refused when it is saved."""

import time

import pytest

from services.notifier.errors import TemplateRefused
from services.notifier.render import Renderer, Source
from tests.unit.notifier.sample import facts

RENDERER = Renderer()

HOSTILE = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ creditor.__class__ }}",
    "{{ creditor.format }}",
    "{{ self }}",
    "{{ config }}",
    "{{ request.application.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id') }}",
    "{{ lipsum.__globals__ }}",
    "{% include 'layout' %}",
    "{% render 'layout' %}",
    "{% include '/etc/passwd' %}",
    "{% layout 'x' %}",
    "{% liquid echo creditor %}",
    "{% capture a %}x{% endcapture %}",
    "{% tablerow i in (1..10) %}x{% endtablerow %}",
    "{% increment a %}",
    "{% cycle 'a', 'b' %}",
    "{{ creditor | replace: 'e', creditor }}",
    "{{ creditor | split: '' | join: creditor }}",
    "{{ creditor | append: creditor }}",
    "{{ creditor | prepend: creditor }}",
    "{{ creditor | base64_decode }}",
    "{{ creditor | safe }}",
    "{{ creditor | strip_html }}",
    "{{ creditor | url_decode }}",
    "{{ creditor | nosuchfilter }}",
    "{{ 9 | times: 9999999999 | times: 9999999999 }}",
    "{% for i in (1..1000000000) %}{{ i }}{% endfor %}",
    "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
    "{% for a in (1..99) %}{% for b in (1..99) %}{% for c in (1..99) %}{% endfor %}{% endfor %}{% endfor %}",
    "{% if %}",
    "{% endif %}",
    "{{ creditor",
    "{% for %}",
    "{% assign x = secret %}{{ x }}",
    "{{ secret }}",
    "{{ 'a' | default: secret }}",
    "{% if secret %}x{% endif %}",
    "{% unless count == 1 %}{{ secret }}{% endunless %}",
    "{% if single %}{{ secret }}{% endif %}",
    "{{ payment_account }}",
    "{{ earlier.__class__ }}",
    "{{ earlier[0].__globals__ }}",
    "{{ creditor['__class__'] }}",
    "${7*7}{{7*7}}",
    "{{ 7*7 }}",
    "{{ ().__class__ }}",
    "{% raw %}{{ creditor }}",
    "{% comment %}",
    "{% extends 'base' %}",
    "{% block x %}{% endblock %}",
    "{% macro x() %}{% endmacro %}",
    "{% call x %}",
    "{% import os %}",
    "{% set x = 1 %}",
    "{% debug %}",
    "[[secrets]]",
    "[[lines]]\n\n[[nope]]",
    "{{ creditor | map: '__class__' }}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_refused_or_inert_and_at_once(text):
    began = time.process_time()
    try:
        rendered = RENDERER.check(Source("own", "fr", "Objet", f"Bonjour\n\n{text}\n\n[[lines]]"), facts())
        assert "__" not in rendered.text and "object at" not in rendered.text and "class '" not in rendered.text
        assert len(rendered.text) < 200_000
    except TemplateRefused as refused:
        assert refused.detail
    assert time.process_time() - began < 1


@pytest.mark.parametrize("text", [each for each in HOSTILE if "secret" in each or "nope" in each])
def test_a_word_that_does_not_exist_is_refused_at_save_even_in_a_branch_not_taken(text):
    with pytest.raises(TemplateRefused):
        RENDERER.check(Source("own", "fr", "Objet", text), facts())


def test_a_text_beyond_the_size_is_refused():
    with pytest.raises(TemplateRefused):
        RENDERER.check(Source("own", "fr", "Objet", "x" * 30_000), facts())


def test_a_tenants_text_with_markup_stays_text():
    rendered = RENDERER.check(Source("own", "fr", "Objet", "<b>Bonjour</b> {{ debtor }}\n\n[[lines]]"), facts())
    assert "<b>Bonjour" in rendered.text and "&lt;b&gt;Bonjour" in rendered.html


def test_our_own_texts_pass_the_check_that_tenants_meet():
    for source in RENDERER.own.values():
        RENDERER.check(source, facts())
