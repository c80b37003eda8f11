package xmppclient

// What each byte is written as in text and in an attribute between single
// quotes; "" is the byte itself. A CR would be read as LF by the next parser,
// and in an attribute white space as a blank.
var (
	textEscapes = escapes(map[byte]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;"})
	attrEscapes = escapes(map[byte]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;",
		'\'': "&apos;", '\n': "&#10;", '\t': "&#9;"})
)

func escapes(m map[byte]string) *[256]string {
	var table [256]string
	for c, s := range m {
		table[c] = s
	}
	return &table
}

func appendText(dst []byte, text []byte) []byte  { return appendEscaped(dst, text, textEscapes) }
func appendAttr(dst []byte, value string) []byte { return appendEscaped(dst, value, attrEscapes) }

func appendEscaped[S string | []byte](dst []byte, s S, table *[256]string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		if esc := table[s[i]]; esc != "" {
			dst = append(dst, s[from:i]...)
			dst = append(dst, esc...)
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}
