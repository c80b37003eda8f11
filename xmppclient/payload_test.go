package xmppclient

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// decodePayload returns the payload of an event whose item has raw in it, as
// an eventDecoder does.
func decodePayload(raw string, limit int) (string, error) {
	d := xml.NewDecoder(strings.NewReader("<item xmlns='" + nsPubSubEvent + "'>" + raw + "</item>"))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	e := payloadEncoder{limit: limit, inherited: nsPubSubEvent, renamed: nsPubSub}
	if err := e.encode(&reader{tokens: d}); err != nil {
		return "", err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("the item does not end")
	}
	return e.result()
}

var payloads = map[string]struct{ raw, want string }{
	"nothing":                         {"", ""},
	"text":                            {"just &lt;text&gt; &amp; more", "just &lt;text&gt; &amp; more"},
	"default namespace":               {"<a xmlns='urn:a'><b/></a>", "<a xmlns='urn:a'><b/></a>"},
	"nested default":                  {"<a xmlns='urn:a'><b xmlns='urn:b'><c/></b><d/></a>", "<a xmlns='urn:a'><b xmlns='urn:b'><c/></b><d/></a>"},
	"default undone":                  {"<a xmlns='urn:a'><b xmlns=''><c/></b><d/></a>", "<a xmlns='urn:a'><b xmlns=''><c/></b><d/></a>"},
	"default undone at the root":      {"<a xmlns=''/>", "<a/>"},
	"default repeated":                {"<a xmlns='urn:a'><b xmlns='urn:a'/></a>", "<a xmlns='urn:a'><b/></a>"},
	"default said twice by Go":        {"<a xmlns='urn:a' xmlns='urn:a'/>", "<a xmlns='urn:a'/>"},
	"prefix":                          {"<x:a xmlns:x='urn:x'><x:b/></x:a>", "<x:a xmlns:x='urn:x'><x:b/></x:a>"},
	"prefix redeclared":               {"<x:a xmlns:x='urn:1'><x:b xmlns:x='urn:2'/><x:c/></x:a>", "<x:a xmlns:x='urn:1'><x:b xmlns:x='urn:2'/><x:c/></x:a>"},
	"prefix hidden by another":        {"<x:a xmlns:x='urn:1' xmlns:y='urn:1'><y:b xmlns:y='urn:2'><x:c/></y:b></x:a>", "<y:a xmlns:x='urn:1' xmlns:y='urn:1'><y:b xmlns:y='urn:2'><x:c/></y:b></y:a>"},
	"prefix and default":              {"<x:a xmlns:x='urn:x' xmlns='urn:d'><b/></x:a>", "<x:a xmlns:x='urn:x' xmlns='urn:d'><b/></x:a>"},
	"prefix of the default":           {"<a xmlns='urn:d' xmlns:d='urn:d' d:b='1'/>", "<a d:b='1' xmlns='urn:d' xmlns:d='urn:d'/>"},
	"prefix in a value only":          {"<a xmlns='urn:a' xmlns:q='urn:q' type='q:t'>q:u</a>", "<a type='q:t' xmlns='urn:a' xmlns:q='urn:q'>q:u</a>"},
	"prefix without use":              {"<a xmlns='urn:a'><b xmlns:u='urn:u'/></a>", "<a xmlns='urn:a'><b xmlns:u='urn:u'/></a>"},
	"prefix that nobody declared":     {"<x:a x:b='1'/>", "<a ns1:b='1' xmlns='x' xmlns:ns1='x'/>"},
	"default declared and undone":     {"<a xmlns='urn:a' xmlns=''/>", "<a/>"},
	"prefix undone":                   {"<x:a xmlns:x='urn:x'><b xmlns:x=''/></x:a>", "<x:a xmlns:x='urn:x'><b xmlns='" + nsPubSub + "'/></x:a>"},
	"prefix of a number":              {"<a xmlns='urn:a' xmlns:ns1='urn:1' ns2:b=''/>", "<a ns2:b='' xmlns='urn:a' xmlns:ns1='urn:1' xmlns:ns2='ns2'/>"},
	"inherited default":               {"<a><b/></a>", "<a xmlns='" + nsPubSub + "'><b/></a>"},
	"inherited, deeper":               {"<x:a xmlns:x='urn:x'><b><c/></b><d/></x:a>", "<x:a xmlns:x='urn:x'><b xmlns='" + nsPubSub + "'><c/></b><d xmlns='" + nsPubSub + "'/></x:a>"},
	"event by its own name":           {"<a xmlns='" + nsPubSubEvent + "'/>", "<a xmlns='" + nsPubSubEvent + "'/>"},
	"lang":                            {"<a xmlns='urn:a' xml:lang='de'/>", "<a xml:lang='de' xmlns='urn:a'/>"},
	"element of XML":                  {"<xml:a xmlns:x='" + nsXML + "' x:lang='de'/>", "<xml:a xml:lang='de'/>"},
	"attributes":                      {`<a xmlns='urn:a' b="it's" c='"' d='&lt;>&amp;'/>`, `<a b='it&apos;s' c='"' d='&lt;&gt;&amp;' xmlns='urn:a'/>`},
	"attribute with a prefix":         {"<a xmlns='urn:a' xmlns:x='urn:x' x:b='1' b='2'/>", "<a x:b='1' b='2' xmlns='urn:a' xmlns:x='urn:x'/>"},
	"white space in an attribute":     {"<a xmlns='urn:a' b='1&#10;2&#9;3&#13;4'/>", "<a b='1&#10;2&#9;3&#13;4' xmlns='urn:a'/>"},
	"CR and LF in text":               {"<a xmlns='urn:a'>1\r\n2\r3&#13;4\n5\t6</a>", "<a xmlns='urn:a'>1\n2\n3&#13;4\n5\t6</a>"},
	"CDATA":                           {"<a xmlns='urn:a'><![CDATA[<b>&]]>]]&gt;</a>", "<a xmlns='urn:a'>&lt;b&gt;&amp;]]&gt;</a>"},
	"comment":                         {"<a xmlns='urn:a'>1<!-- x -->2</a>", "<a xmlns='urn:a'>12</a>"},
	"emoji and odd spaces":            {"<a xmlns='urn:a' b='\u2028😀'>😀\u0085\u2028\u2029\ufeff\U0010FFFF</a>", "<a b='\u2028😀' xmlns='urn:a'>😀\u0085\u2028\u2029\ufeff\U0010FFFF</a>"},
	"characters by number":            {"<a xmlns='urn:a'>&#x1F600;&#233;</a>", "<a xmlns='urn:a'>😀é</a>"},
	"names beyond ASCII":              {"<é xmlns='urn:a'><日本 本='1'/></é>", "<é xmlns='urn:a'><日本 本='1'/></é>"},
	"empty or without content":        {"<a xmlns='urn:a'></a><b xmlns='urn:a'/>", "<a xmlns='urn:a'/><b xmlns='urn:a'/>"},
	"white space around":              {"\n <a xmlns='urn:a'/>\n", "\n <a xmlns='urn:a'/>\n"},
	"declarations of Go's encoder":    {"<a xmlns='urn:a' xmlns:_xmlns='xmlns' _xmlns:x='urn:x' xmlns:x='urn:x' x:b='1'/>", "<a x:b='1' xmlns='urn:a' xmlns:_xmlns='xmlns' xmlns:x='urn:x'/>"},
	"such without the second half":    {"<a xmlns='urn:a' xmlns:_xmlns='xmlns' _xmlns:x='urn:x'/>", "<a xmlns='urn:a' xmlns:_xmlns='xmlns' xmlns:x='urn:x'/>"},
	"declarations that are forbidden": {"<a xmlns='urn:a' xmlns:xml='urn:1' xmlns:xmlns='urn:2' xmlns:y='" + nsXMLNS + "' xmlns:z=''/>", "<a xmlns='urn:a'/>"},
	"attribute twice":                 {"<a xmlns='urn:a' b='1' b='2'/>", "<a b='1' xmlns='urn:a'/>"},
	"attribute twice by two prefixes": {"<a xmlns='urn:a' xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>", "<a y:b='1' xmlns='urn:a' xmlns:x='u' xmlns:y='u'/>"},
	"XHTML":                           {"<div xmlns='http://www.w3.org/1999/xhtml'><p>a<br/>b</p></div>", "<div xmlns='http://www.w3.org/1999/xhtml'><p>a<br/>b</p></div>"},
	"JSON":                            {"<json xmlns='urn:xmpp:json:0'>{&quot;a&quot;:[1,&apos;&lt;&apos;]}</json>", `<json xmlns='urn:xmpp:json:0'>{"a":[1,'&lt;']}</json>`},
}

func TestPayload(t *testing.T) {
	for name, test := range payloads {
		t.Run(name, func(t *testing.T) {
			got, err := decodePayload(test.raw, 0)
			if err != nil || got != test.want {
				t.Errorf("%s\nbecame %s\nwant   %s (%v)", test.raw, got, test.want, err)
			}
			wantSound(t, test.raw, got)
		})
	}
}

// wantSound checks that the encoding got of raw is well-formed, says the same,
// and is the encoding of itself.
func wantSound(t *testing.T, raw, got string) {
	t.Helper()
	if err := strict("<root>" + got + "</root>"); err != nil {
		t.Errorf("%q\nbecame %q:\n%v", raw, got, err)
	}
	want, err := canonical(raw)
	if err != nil {
		t.Fatal(err)
	}
	said, err := canonical("<root xmlns=''>" + got + "</root>")
	said = strings.TrimSuffix(strings.TrimPrefix(said, `<"" "root">`), "</>")
	if err != nil || said != want {
		t.Errorf("%q\nbecame %q\nsaying %s\nwant   %s (%v)", raw, got, said, want, err)
	}
	again, err := decodePayload("<root xmlns=''>"+got+"</root>", 0)
	again = strings.TrimSuffix(strings.TrimPrefix(again, "<root>"), "</root>")
	if err != nil || got != "" && again != got {
		t.Errorf("%q\nbecame %q\nand then %q (%v)", raw, got, again, err)
	}
}

func TestPayloadThatCannotBeWritten(t *testing.T) {
	for _, raw := range []string{
		"<:a/>", "<a:/>", "<x:1/>", "<x:-a/>", "<x:.a/>", "<a :b='1'/>", "<a b:='1'/>", "<a x:1='1'/>",
		"<x:\u0300 xmlns:x='u'/>", "<x:\u00b7 xmlns:x='u'/>",
		"<x:a xmlns:x='" + nsXMLNS + "'/>", "<a xmlns='" + nsXMLNS + "'/>", "<a xmlns:x='" + nsXMLNS + "' x:b='1'/>",
		strings.Repeat("<a>", maxPayloadDepth+1) + strings.Repeat("</a>", maxPayloadDepth+1),
		"<a" + attributes(maxAttrs+1) + "/>",
		strings.Repeat("<a"+strings.ReplaceAll(attributes(maxScope), " a", " xmlns:a")+">", 1) + "<b xmlns='urn:b'/></a>",
	} {
		got, err := decodePayload("<ok xmlns='urn:ok'/>"+raw, 0)
		if !errors.Is(err, ErrMalformed) || got != "" {
			t.Errorf("%.60q became %.60q, %v", raw, got, err)
		}
	}
	if got, err := decodePayload("<a xmlns='u'"+attributes(maxAttrs-1)+"/>", 0); err != nil {
		t.Errorf("many attributes became %q, %v", got, err)
	}
}

// attributes returns n attributes of different names.
func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("x", i/10) + string(rune('0'+i%10)) + "='v" + strings.Repeat("y", i) + "'")
	}
	return b.String()
}

func TestPayloadLimit(t *testing.T) {
	raw := "<a xmlns='u'>" + strings.Repeat("x", 100) + "<b/></a>"
	if got, err := decodePayload(raw, len(raw)); got != raw || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := decodePayload(raw, len(raw)-1); got != "" || !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWellFormed(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                "",
		"<a xmlns='urn:a'/>":              "<a xmlns='urn:a'/>",
		"<a xmlns=''/>":                   "<a xmlns=''/>",
		"<a/>":                            "<a xmlns=''/>",
		"<x:a xmlns:x='urn:x'><b/></x:a>": "<x:a xmlns:x='urn:x'><b xmlns=''/></x:a>",
		"<?xml version='1.0'?><a xmlns='urn:a'><!-- x --></a>": "<a xmlns='urn:a'/>",
	} {
		if got, err := wellFormed(raw); err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"<a>", "</a>", "</item>", "</item><item>", "</item></publish><publish><item>", "<a></b>", "&foo;", "&", "<", "\x00", "\xff", "<a b=1/>", "<x:1/>", "<!DOCTYPE", "<?xml version='1.1'?><a/>"} {
		if got, err := wellFormed(raw); err == nil {
			t.Errorf("%q became %q", raw, got)
		}
	}
}

// Every payload here is as slow as can be for its size.
func TestHostilePayloadsTakeBoundedTime(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	declarations := strings.ReplaceAll(attributes(maxScope-10), " a", " xmlns:a")
	deep := strings.Repeat("<a xmlns:p='u'>", maxPayloadDepth-1)
	for name, raw := range map[string]string{
		"scope looked through by each":  "<a" + declarations + ">" + fill("<b xmlns='urn:b'/>") + "</a>",
		"names that are to be invented": "<a" + declarations + ">" + fill("<b p:c='' q:d='' r:e=''/>") + "</a>",
		"all attributes there are":      fill("<b" + attributes(maxAttrs) + "/>"),
		"all attributes, all invented":  fill("<b" + strings.ReplaceAll(attributes(100), " a", " p:a") + "/>"),
		"one huge attribute":            "<a b='" + fill("&#10;") + "'/>",
		"more attributes than can be":   "<a" + strings.Repeat(" b='1'", size/6) + "/>",
		"too deep":                      fill("<a>"),
		"deep and wide":                 deep + fill("<a p:b='1'/>") + strings.Repeat("</a>", maxPayloadDepth-1),
		"text in tiny pieces":           fill("<![CDATA[x]]>"),
	} {
		began := time.Now()
		_, _ = decodePayload(raw, 0) // whatever comes of it
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s: %v for %d bytes", name, d, len(raw))
		} else {
			t.Logf("%s: %v", name, d)
		}
	}
}

func FuzzPayload(f *testing.F) {
	for _, test := range payloads {
		f.Add(test.raw)
	}
	f.Add("<x:1 xmlns:x='u'/>")
	f.Add("<a xmlns:x='" + nsXMLNS + "' x:b='1'/>")
	f.Fuzz(func(t *testing.T, raw string) {
		said, _ := canonical(raw)
		if strings.Contains(said, nsPubSubEvent) {
			return // nobody can tell whether it was inherited
		}
		if got, err := decodePayload(raw, 0); err == nil {
			wantSound(t, raw, got)
		}
	})
}
