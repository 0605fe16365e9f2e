"""The Go-template subset: what it prints, what it refuses, and that nothing else ever escapes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine.errors import TemplateError
from machine.template import Struct, Template, render

DATA: dict[str, Any] = {
    "Name": "dev",
    "Count": 3,
    "Float": 1.5,
    "Big": 1e21,
    "Yes": True,
    "No": False,
    "Nil": None,
    "Empty": "",
    "List": ["a", "b"],
    "Map": {"b": 2, "a": 1},
    "Deep": {"Er": {"Est": "x"}},
    "Rows": [{"N": 1, "T": "one"}, {"N": 2, "T": "two"}],
    "Row": Struct(Name="r", State="Running"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "dev"),
        ("{{ .Deep.Er.Est }}", "x"),
        ("{{.Missing}}", "<no value>"),
        ("{{.Missing.x}}", "<no value>"),
        ("{{.Nil}}", "<no value>"),
        ("{{.Count}} {{.Float}} {{.Big}}", "3 1.5 1e+21"),
        ("{{.Yes}} {{.No}}", "true false"),
        ("{{.List}} {{.Map}}", "[a b] map[a:1 b:2]"),
        ("{{.Row}} {{.Row.State}}", "{r Running} Running"),
        ("{{json .Map}}", '{"a":1,"b":2}'),
        ("{{json .Row}}", '{"Name":"r","State":"Running"}'),
        ("{{prettyjson .Map}}", '{\n    "a": 1,\n    "b": 2\n}'),
        ("{{.Map | json | upper}}", '{"A":1,"B":2}'),
        ('{{printf "%s-%03d|%v|%q" .Name .Count .List .Name}}', 'dev-003|[a b]|"dev"'),
        ('{{printf "%-5s|%5s|%.2f|%x" "a" "b" 1.0 255}}', "a    |    b|1.00|ff"),
        ('{{printf "%d" "x"}} {{printf "%s"}} {{printf "a" 1}}', "%!d(string=x) %!s(MISSING) a%!(EXTRA int=1)"),
        ('{{printf "100%%"}}', "100%"),
        ('{{print 1 2 "x" 3}} {{println "a" 1}}', "1 2x3 a 1\n"),
        ('{{join .List ","}} {{split "a,b" ","}}', "a,b [a b]"),
        ('{{upper .Name}} {{lower "ABC"}} {{title "ab cd"}}', "DEV abc Ab Cd"),
        ("{{len .List}} {{len .Name}} {{len .Map}}", "2 3 2"),
        ('{{index .List 1}} {{index .Map "a"}} {{index .Map "zz"}}', "b 1 <no value>"),
        ("{{(index .Rows 1).T}}", "two"),
        ("{{slice .Name 1}} {{slice .List 0 1}}", "ev [a]"),
        ("{{if .Yes}}y{{else}}n{{end}}{{if .Empty}}y{{else}}n{{end}}", "yn"),
        ('{{if eq .Name "x"}}1{{else if eq .Count 3}}2{{else}}3{{end}}', "2"),
        ("{{if and .Yes .Count}}y{{end}}{{if or .No .Empty}}y{{else}}n{{end}}{{if not .No}}y{{end}}", "yny"),
        ("{{and .Yes .Count}} {{or .Empty .Name}}", "3 dev"),
        ('{{eq .Name "a" "dev"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}', "true " * 5 + "false"),
        ("{{with .Deep}}{{.Er.Est}}{{end}}{{with .Empty}}x{{else}}none{{end}}", "xnone"),
        ("{{with .Empty}}x{{else with .Name}}{{.}}{{end}}", "dev"),
        ("{{with $x := .Deep.Er}}{{$x.Est}}{{end}}", "x"),
        ("{{range .List}}<{{.}}>{{end}}", "<a><b>"),
        ("{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}", "0=a 1=b "),
        ("{{range $k, $v := .Map}}{{$k}}{{$v}}{{end}}", "a1b2"),
        ("{{range .Missing}}x{{else}}none{{end}}", "none"),
        ("{{range .Rows}}{{.N}}{{$.Name}}{{end}}", "1dev2dev"),
        ("{{range .Rows}}{{if eq .N 2}}{{break}}{{end}}{{.N}}{{end}}", "1"),
        ("{{range .Rows}}{{if eq .N 1}}{{continue}}{{end}}{{.N}}{{end}}", "2"),
        ("{{$x := 1}}{{if .Yes}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("a {{- .Name -}} b", "adevb"),
        ("a{{/* gone */}}b {{- /* gone }} too */ -}} c", "abc"),
        ('{{`raw \\n`}}{{"\\t\\u00e9"}}', "raw \\n\té"),
        ('{{"a}}b"}}', "a}}b"),
        ("{{true}} {{nil | json}} {{0x10}} {{-5}} {{2.50}}", "true null 16 -5 2.5"),
        ('{{.Name | printf "%s!" | len}}', "4"),
        ("{{not (eq .Name (index .List 0))}}", "true"),
        ("{{truncate .Name 2}} [{{pad .Name 1 2}}]", "de [ dev  ]"),
        ("{{with .List}}{{.}}{{end}}", "[a b]"),
    ],
)
def test_prints(text: str, expected: str) -> None:
    assert render(text, DATA) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{",
        "{{}}",
        "{{.Name",
        '{{"x}}',
        "{{end}}",
        "{{else}}",
        "{{if .Yes}}",
        "{{if}}x{{end}}",
        "{{nope .Name}}",
        "{{.Name .Count}}",
        "{{.Name | .Count}}",
        "{{(.Name}}",
        "{{.Name)}}",
        "{{$nope}}",
        "{{$nope = 1}}",
        "{{.Row.NAME}}",
        "{{.Name.x}}",
        "{{len 3}}",
        "{{index .List 9}}",
        "{{index .List -1}}",
        "{{slice .Name 9}}",
        "{{eq .List .List}}",
        '{{eq 1 "a"}}',
        "{{lt true false}}",
        "{{upper 3}}",
        "{{join .Name 3}}",
        "{{range .Name}}{{end}}",
        "{{range .Row}}{{end}}",
        "{{break}}",
        '{{template "x"}}',
        '{{printf "%99999999999d" 1}}',
        '{{"\\z"}}',
        "{{/* open",
        "{{1e999}}",
        "{{" + "9" * 9999 + "}}",
        "{{" + "(" * 500 + "1" + ")" * 500 + "}}",
        "{{if 1}}" * 500 + "{{end}}" * 500,
        "{{.Name x}}",
        '{{upper "a" "b"}}',
        "{{.a.}}",
        "{{html .Name}}",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text, DATA)


def test_an_unknown_field_of_a_row_names_the_known_ones() -> None:
    with pytest.raises(TemplateError) as caught:
        render("{{.NAME}}", Struct(Name="x", State="y"))
    assert "Name State" in caught.value.resolution


def test_a_syntax_error_shows_its_place() -> None:
    with pytest.raises(TemplateError) as caught:
        Template("ab {{nope}}")
    assert caught.value.details == "ab {{nope}}\n     ^"


def test_escapes_between_the_actions_only() -> None:
    assert render("a\\t{{`\\t`}}\\n", {}, escapes=True) == "a\t\\t\n"


@pytest.mark.parametrize(
    "text",
    [
        "{{range .L}}{{range $.L}}{{range $.L}}{{range $.L}}x{{end}}{{end}}{{end}}{{end}}",
        '{{$x := "aaaaaaaaaaaaaaaa"}}{{range .L}}{{$x = print $x $x}}{{end}}',
    ],
)
def test_time_and_size_are_bounded(text: str) -> None:
    start = time.monotonic()
    with pytest.raises(TemplateError, match="too much"):
        render(text, {"L": list(range(200))})
    assert time.monotonic() - start < 5


WORDS = """{ } ( ) | . $ " ` ' - = : , a x 1 % {{ }} {{- -}} {{if {{else}} {{end}} {{range {{with := .Name .List .Map $x
    printf index len json eq slice and /* */ %d %5.3f \\n true nil 9 -1 0x join print"""
FRAGMENTS = st.sampled_from(WORDS.split())


@settings(max_examples=400, deadline=2000)
@given(
    st.lists(FRAGMENTS, max_size=30).map(" ".join)
    | st.lists(FRAGMENTS, max_size=30).map("".join)
    | st.text(max_size=40)
)
def test_only_template_errors_escape(text: str) -> None:
    try:
        result = render(text, DATA)
    except TemplateError:
        return
    assert isinstance(result, str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=2000)
@given(JSON)
def test_any_value_prints(value: Any) -> None:
    assert isinstance(render("{{.}}", value), str)
    assert isinstance(render('{{printf "%s %d %v %x %q %f" . . . . . .}}', value), str)
