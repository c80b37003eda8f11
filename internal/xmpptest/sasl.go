package xmpptest

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// saslError is a condition of RFC 6120, section 6.5.
type saslError string

func (e saslError) Error() string { return "sasl: " + string(e) }

// authenticate lets the client log in, as often as it takes, and returns its
// localpart.
func (s *Session) authenticate() (user string, err error) {
	offered := s.mechanisms()
	features := "<mechanisms xmlns='" + nsSASL + "'>"
	for _, m := range offered {
		features += "<mechanism>" + escape(m) + "</mechanism>"
	}
	if err := s.openStream(features + "</mechanisms>" + s.srv.cfg.channelBindings()); err != nil {
		return "", err
	}
	for {
		el, err := s.readElement()
		if err != nil {
			return "", err
		}
		if el.XMLName.Space == nsTLS {
			return "", s.refuse("<failure xmlns='" + nsTLS + "'/></stream:stream>")
		}
		user, final, err := s.login(el, offered)
		var condition saslError
		switch {
		case err == nil:
			return user, s.write("<success xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString(final) + "</success>")
		case !errors.As(err, &condition):
			return "", err
		}
		if err := s.write("<failure xmlns='" + nsSASL + "'><" + string(condition) + "/></failure>"); err != nil {
			return "", err
		}
	}
}

// channelBindings returns the stream feature that tells of them.
func (cfg Config) channelBindings() string {
	if len(cfg.ChannelBindings) == 0 {
		return ""
	}
	var types string
	for _, t := range cfg.ChannelBindings {
		types += "<channel-binding type='" + escape(t) + "'/>"
	}
	return "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>" + types + "</sasl-channel-binding>"
}

// login is one attempt, which begins with the client's <auth/>. It returns the
// data that goes with success.
func (s *Session) login(auth Element, offered []string) (user string, final []byte, err error) {
	if auth.XMLName.Local != "auth" {
		return "", nil, saslError("malformed-request")
	}
	s.srv.countLogin()
	if err := s.reached(AtSASL); err != nil {
		return "", nil, err
	}
	mechanism := auth.Attr("mechanism")
	if !slices.Contains(offered, mechanism) {
		return "", nil, saslError("invalid-mechanism")
	}
	initial, err := saslData(auth)
	if err == nil && len(initial) == 0 {
		initial, err = s.challenge("")
	}
	if err != nil {
		return "", nil, err
	}
	if mechanism == "PLAIN" {
		user, err = s.plain(string(initial))
		return user, nil, err
	}
	return s.scram(mechanism, string(initial), offered)
}

// plain checks the message of RFC 4616.
func (s *Session) plain(message string) (user string, err error) {
	part := strings.Split(message, "\x00")
	if len(part) != 3 {
		return "", saslError("malformed-request")
	}
	password, ok := s.srv.password(part[1])
	if !ok || password != part[2] {
		return "", saslError("not-authorized")
	}
	return part[1], s.checkIdentity(part[0], part[1])
}

// checkIdentity refuses a user who wants to act as somebody else.
func (s *Session) checkIdentity(identity, user string) error {
	if identity != "" && identity != user+"@"+s.srv.cfg.Domain {
		return saslError("invalid-authzid")
	}
	return nil
}

// challenge sends data and returns the client's response.
func (s *Session) challenge(data string) ([]byte, error) {
	if err := s.write("<challenge xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte(data)) + "</challenge>"); err != nil {
		return nil, err
	}
	el, err := s.readElement()
	if err != nil {
		return nil, err
	}
	switch el.XMLName.Local {
	case "response":
		return saslData(el)
	case "abort":
		return nil, saslError("aborted")
	}
	return nil, saslError("malformed-request")
}

func saslData(el Element) ([]byte, error) {
	text := strings.TrimSpace(el.Text)
	if text == "=" {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, saslError("incorrect-encoding")
	}
	return data, nil
}
