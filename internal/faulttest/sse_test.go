package faulttest

import (
	"bufio"
	"io"
	"strings"
)

// A message is what an EventSource dispatches.
type message struct {
	name string // "message" if the stream gave none
	id   string // the last event ID, whether this event set it or one before
	data string
}

// A parser reads an event stream exactly as the standard says (WHATWG HTML
// §9.2.6). A block that does not end is not dispatched.
type parser struct {
	in     *bufio.Reader
	lines  []string // that were ended, and are not yet read
	err    error    // what comes after them
	begun  bool
	lastID string // of all blocks so far
	id     string // of this block, or the last one
}

// newParser returns a parser that goes on from a last event ID.
func newParser(in io.Reader, lastID string) *parser {
	return &parser{in: bufio.NewReader(in), lastID: lastID, id: lastID}
}

// next returns the next event. An error is that of the reader.
func (p *parser) next() (message, error) {
	var name, data string
	for {
		line, err := p.line()
		switch {
		case err != nil:
			return message{}, err
		case line != "":
			p.field(line, &name, &data)
			continue
		}
		p.lastID = p.id // also where nothing is dispatched
		if data == "" {
			name = ""
			continue
		}
		if name == "" {
			name = "message"
		}
		return message{name, p.lastID, strings.TrimSuffix(data, "\n")}, nil
	}
}

func (p *parser) field(line string, name, data *string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		*name = value
	case "data":
		*data += value + "\n"
	case "id":
		if !strings.Contains(value, "\x00") {
			p.id = value
		}
	}
}

// line returns the next line that was ended, by CR, LF or CRLF.
func (p *parser) line() (string, error) {
	for len(p.lines) == 0 {
		if p.err != nil {
			return "", p.err
		}
		p.fill()
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	if !p.begun {
		p.begun = true
		line = strings.TrimPrefix(line, "\uFEFF")
	}
	return line, nil
}

// fill reads up to the next LF, and takes what is there apart at each CR. That
// a line which CR ended is seen only then makes no difference to tests.
func (p *parser) fill() {
	text, err := p.in.ReadString('\n')
	text, isEnded := strings.CutSuffix(text, "\n")
	if p.err = err; isEnded {
		text = strings.TrimSuffix(text, "\r")
	}
	p.lines = strings.Split(text, "\r")
	if !isEnded {
		p.lines = p.lines[:len(p.lines)-1] // of what was not ended
	}
}
