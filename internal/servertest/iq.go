package servertest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
)

var errStreamEnded = errors.New("the stream has ended")

// Error is what the server answered to an IQ.
type Error struct {
	Type       string   // "auth", "cancel", "modify", "wait"
	Conditions []string // the names of the child elements, such as "not-allowed", "closed-node"
}

func (e *Error) Error() string {
	return e.Type + ": " + strings.Join(e.Conditions, ", ")
}

// errorNode is the <error/> of a stanza.
type errorNode struct {
	Type     string `xml:"type,attr"`
	Children []struct {
		XMLName xml.Name
	} `xml:",any"`
}

// IQ sends an IQ of the given type, "get" or "set", and returns what the answer
// contains. An error that the server answers with is an *Error. An empty to
// means the server itself.
func (c *Client) IQ(to, typ, innerXML string) (reply string, err error) {
	answer, err := c.sendIQ(to, typ, innerXML)
	if err != nil {
		return "", err
	}
	return await(answer)
}

// sendIQ sends an IQ and returns where the answer will arrive; closed without
// one when the stream ends.
func (c *Client) sendIQ(to, typ, innerXML string) (<-chan stanza, error) {
	answer := make(chan stanza, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		return nil, errStreamEnded
	}
	c.lastID++
	id := fmt.Sprint("i", c.lastID)
	c.pending[id] = answer
	return answer, c.writeLocked("<iq" + attr("id", id) + attr("type", typ) + attr("to", to) + ">" + innerXML + "</iq>")
}

func await(answer <-chan stanza) (string, error) {
	select {
	case st, ok := <-answer:
		if !ok {
			return "", errStreamEnded
		}
		if st.Type == "result" {
			return st.Inner, nil
		}
		e := &Error{}
		if st.Error != nil {
			e.Type = st.Error.Type
			for _, child := range st.Error.Children {
				e.Conditions = append(e.Conditions, child.XMLName.Local)
			}
		}
		return "", e
	case <-time.After(iqTimeout):
		return "", errors.New("no answer")
	}
}

// attr returns the attribute with a space before it, or nothing for no value.
func attr(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + "='" + escape(value) + "'"
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder returns no errors
	return b.String()
}
