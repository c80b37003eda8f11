package xmppclient

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// fingerprintIn returns the fingerprint of raw, as it is read in an item of an
// event (inherited is nsPubSubEvent) or of a reply (nsPubSub).
func fingerprintIn(t testing.TB, inherited, raw string, limit int) uint64 {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader("<item xmlns='" + inherited + "'>" + raw + "</item>"))
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	e := payloadEncoder{limit: limit}
	if inherited == nsPubSubEvent {
		e.inherited, e.renamed = nsPubSubEvent, nsPubSub
	}
	item, err := decodeItem(&reader{tokens: d}, tok.(xml.StartElement), &e)
	if err != nil {
		t.Fatalf("reading %s: %v", raw, err)
	}
	return item.Fingerprint
}

func TestEqualFingerprints(t *testing.T) {
	for name, equal := range map[string][]string{
		"order of attributes":  {"<a xmlns='u' b='1' c='2' d='3'/>", "<a d='3' b='1' xmlns='u' c='2'/>"},
		"order with prefixes":  {"<a xmlns='u' xmlns:x='x' x:b='1' b='2'/>", "<a b='2' x:b='1' xmlns:x='x' xmlns='u'/>"},
		"prefixes":             {"<a xmlns='u'><b/></a>", "<x:a xmlns:x='u'><x:b/></x:a>", "<x:a xmlns:x='u'><b xmlns='u'/></x:a>", "<a xmlns='u'><y:b xmlns:y='u'/></a>"},
		"prefix of attributes": {"<a xmlns='u' xmlns:x='x' x:b='1'/>", "<a xmlns='u' xmlns:ns1='x' ns1:b='1'/>"},
		"unused declarations":  {"<a xmlns='u'><b/></a>", "<a xmlns='u' xmlns:x='x'><b xmlns:y='y'/></a>", "<a xmlns='u'><b xmlns='u'/></a>"},
		"no namespace":         {"<a xmlns=''><b/></a>", "<a xmlns=''><b xmlns=''/></a>"},
		"empty elements":       {"<a xmlns='u'></a>", "<a xmlns='u'/>", "<a xmlns='u' />", "<a xmlns='u'\n></a\n>"},
		"spelling of text":     {"<a xmlns='u'>&lt;&amp;'x\"</a>", "<a xmlns='u'><![CDATA[<&]]>&apos;x&quot;</a>", "<a xmlns='u'>&#60;&#x26;&#39;&#120;&#x22;</a>"},
		"cuts of text":         {"<a xmlns='u'>abc</a>", "<a xmlns='u'>a<![CDATA[]]>b<![CDATA[c]]></a>", "<a xmlns='u'>a<!-- x -->bc</a>"},
		"ends of lines":        {"<a xmlns='u'>1\n2\n3</a>", "<a xmlns='u'>1\r\n2\r3</a>"},
		"spelling of values":   {"<a xmlns='u' b='&lt;&#10;\"'/>", "<a xmlns='u' b=\"&#x3c;&#xa;&quot;\"/>"},
		"prefix of XML":        {"<a xmlns='u' xml:lang='de'/>", "<a xmlns='u' xmlns:x='" + nsXML + "' x:lang='de'/>"},
		"declarations of Go":   {"<a xmlns='u' xmlns:x='x' x:b='1'/>", "<a xmlns='u' xmlns:_xmlns='xmlns' _xmlns:x='x' xmlns:x='x' x:b='1'/>"},
		"inherited namespace":  {"<a><b/></a>", "<a xmlns='" + nsPubSub + "'><b/></a>"},
		"an event inside":      {"<event xmlns='" + nsPubSubEvent + "'/>"},
		"JSON":                 {`<json xmlns='urn:xmpp:json:0'>{"a":1}</json>`, "<json xmlns='urn:xmpp:json:0'>{&quot;a&quot;:1}</json>"},
	} {
		want := fingerprintIn(t, nsPubSubEvent, equal[0], 0)
		for _, raw := range equal {
			for _, in := range []string{nsPubSubEvent, nsPubSub} {
				if got := fingerprintIn(t, in, raw, 0); got != want || got == 0 {
					t.Errorf("%s: %s in %s has %d, and %s %d", name, raw, in, got, equal[0], want)
				}
			}
		}
	}
	for name, test := range payloads { // what we make of it is the same
		got, err := decodePayload(test.raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := fingerprintIn(t, nsPubSubEvent, test.raw, 0), fingerprintIn(t, nsPubSub, strings.Replace(got, "<a/>", "<a xmlns=''/>", 1), 0); a != b && !strings.Contains(name, "undone") && !strings.Contains(name, "twice") {
			t.Errorf("%s: %s has %d, and %s %d", name, test.raw, a, got, b)
		}
	}
}

func TestDifferentFingerprints(t *testing.T) {
	all := []string{
		"",
		"x", "xx", " ",
		"<a xmlns='u'/>", "<a xmlns='v'/>", "<a xmlns=''/>", "<a/>", "<b xmlns='u'/>", "<ab xmlns='u'/>", "<A xmlns='u'/>",
		"<a xmlns='ua'/>", "<aa xmlns='u'/>", "<u xmlns='a'/>",
		"<a xmlns='u'>x</a>", "<a xmlns='u'>y</a>", "<a xmlns='u'>xx</a>", "<a xmlns='u'> x</a>", "<a xmlns='u'>x\n</a>",
		"<a xmlns='u'/>x", "x<a xmlns='u'/>", "<a xmlns='u'/> ",
		"<a xmlns='u'/><a xmlns='u'/>", "<a xmlns='u'><a/></a>", "<a xmlns='u'><b/></a>", "<a xmlns='u'/><b xmlns='u'/>", "<b xmlns='u'/><a xmlns='u'/>",
		"<a xmlns='u'><b/><c/></a>", "<a xmlns='u'><c/><b/></a>", "<a xmlns='u'><b><c/></b></a>", "<a xmlns='u'><b xmlns='v'/></a>", "<a xmlns='u'><b xmlns=''/></a>",
		"<a xmlns='u'>x<b/></a>", "<a xmlns='u'><b/>x</a>", "<a xmlns='u'><b>x</b></a>", "<a xmlns='u'><b>x</b><b/></a>", "<a xmlns='u'><b/><b>x</b></a>",
		"<a xmlns='u' b=''/>", "<a xmlns='u' b='1'/>", "<a xmlns='u' b='2'/>", "<a xmlns='u' c='1'/>", "<a xmlns='u' b='11'/>", "<a xmlns='u' b1='1'/>",
		"<a xmlns='u' b='1' c='2'/>", "<a xmlns='u' b='2' c='1'/>", "<a xmlns='u' b='1' c='1'/>", "<a xmlns='u' b='2' c='2'/>", "<a xmlns='u' b='12' c=''/>", "<a xmlns='u' b='' c='12'/>",
		"<a xmlns='u' xmlns:x='x' x:b='1'/>", "<a xmlns='u' xmlns:x='y' x:b='1'/>", "<a xmlns='u' xmlns:x='u' x:b='1'/>", "<a xmlns='u' xmlns:x='xb' x:b='1'/>",
		"<a xmlns='u' xmlns:x='x' x:b='1' b='2'/>", "<a xmlns='u' xmlns:x='x' x:b='2' b='1'/>",
		// The same attributes, at other elements.
		"<a xmlns='u'><b c='1'/><b d='1'/></a>", "<a xmlns='u'><b d='1'/><b c='1'/></a>", "<a xmlns='u'><b c='1' d='1'/><b/></a>", "<a xmlns='u'><b/><b c='1' d='1'/></a>",
		"<a xmlns='u' c='1' d='1'><b/><b/></a>", "<a xmlns='u' c='1'><b d='1'/><b/></a>", "<a xmlns='u' d='1'><b c='1'/><b/></a>",
		"<a xmlns='u'><b>c='1'</b><b d='1'/></a>",
		"<json xmlns='urn:xmpp:json:0'>{}</json>", "<json xmlns='urn:xmpp:json:0'>[]</json>", "<json xmlns='urn:xmpp:json:0'>{ }</json>",
		"<a xmlns='u'>\u00e9</a>", "<a xmlns='u'>e\u0301</a>", // which only look the same
	}
	for i := range 2000 { // one bit here and there
		all = append(all, fmt.Sprintf("<a xmlns='u' b='%d'>%d</a>", i&1, i))
	}
	seen := map[uint64]string{}
	for _, raw := range all {
		print := fingerprintIn(t, nsPubSubEvent, raw, 0)
		if before, ok := seen[print]; ok {
			t.Errorf("%q and %q have the same fingerprint", before, raw)
		}
		seen[print] = raw
		if (print == 0) != (raw == "") {
			t.Errorf("the fingerprint of %q is %d", raw, print)
		}
	}
}

// TestFingerprintsStayWhatTheyAre has those of the first release that had any:
// they are told to clients, who come back with them.
func TestFingerprintsStayWhatTheyAre(t *testing.T) {
	const raw = "<entry xmlns='http://www.w3.org/2005/Atom' xmlns:x='urn:x' x:y='1' xml:lang='en'><title>It&apos;s</title>\n<b xmlns=''>\u00e9</b></entry>"
	const golden = 7670819883426539392
	if got := fingerprintIn(t, nsPubSubEvent, raw, 0); got != golden {
		t.Errorf("the fingerprint is %d, and used to be %d", got, uint64(golden))
	}
}

func TestFingerprintOfWhatIsNotTold(t *testing.T) {
	const raw = "<a xmlns='u'>too <b/> large</a>"
	want := fingerprintIn(t, nsPubSubEvent, raw, 0)
	for limit := range len(raw) {
		if got := fingerprintIn(t, nsPubSubEvent, raw, limit); got != want {
			t.Errorf("with a limit of %d bytes the fingerprint is %d, want %d", limit, got, want)
		}
	}
	deep := func(inner string) string {
		return strings.Repeat("<a>", maxPayloadDepth+1) + inner + strings.Repeat("</a>", maxPayloadDepth+1)
	}
	if a, b := fingerprintIn(t, nsPubSubEvent, deep("x"), 0), fingerprintIn(t, nsPubSubEvent, deep("y"), 0); a == b || a == 0 || b == 0 {
		t.Errorf("the fingerprints of two that are too deep are %d and %d", a, b)
	}
	subscribed(t, func(r *rig, p *peer) {
		r.SetMaxEvent(10)
		p.publish("news", "1", raw)
		p.publish("news", "2", raw)
		p.publish("news", "3", "")
		synctest.Wait()
		events := take(r, &r.events)
		if len(events) != 3 {
			t.Fatalf("%d events, want 3", len(events))
		}
		for i, want := range []uint64{want, want, 0} {
			if got := events[i].Item; got.Fingerprint != want || got.Payload != "" || (got.Err == nil) != (want == 0) {
				t.Errorf("item %+v, want the fingerprint %d", got, want)
			}
		}
	})
}

// FuzzFingerprint compares it with canonical, which is slow and plain.
func FuzzFingerprint(f *testing.F) {
	for _, test := range payloads {
		f.Add(test.raw, test.want)
	}
	f.Add("<a xmlns='u' b='1' c='2'/>", "<a c='2' b='1' xmlns='u'/>")
	f.Add("<a xmlns='u' b='1' c='2'/>", "<a c='1' b='2' xmlns='u'/>")
	f.Fuzz(func(t *testing.T, a, b string) {
		saidA, errA := canonical(a)
		saidB, errB := canonical(b)
		if errA != nil || errB != nil || strings.Contains(saidA+saidB, nsPubSubEvent) {
			return
		}
		if strict("<root>"+a+"</root>") != nil || strict("<root>"+b+"</root>") != nil {
			return // no server sends such
		}
		same := fingerprintIn(t, nsPubSub, a, 0) == fingerprintIn(t, nsPubSub, b, 0)
		if same != (saidA == saidB) {
			t.Errorf("%q and %q have the same fingerprint: %t", a, b, same)
		}
	})
}

// Fingerprint is for the tests in package xmppclient_test.
func Fingerprint(t testing.TB, raw string) uint64 { return fingerprintIn(t, nsPubSub, raw, 0) }
