package xmpptest

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"hash"
	"slices"
	"strconv"
	"strings"
)

const (
	plus       = "-PLUS" // marks a mechanism with channel binding
	iterations = 4096
)

// clientFirst is the message of RFC 5802 a client begins with.
type clientFirst struct {
	header   string // the GS2 header as it came
	flag     string // "n", "y" or "p=" and the kind of channel binding
	identity string
	bare     string // what follows the header
	user     string
	nonce    string
}

func parseClientFirst(message string) (clientFirst, bool) {
	part := strings.SplitN(message, ",", 3)
	if len(part) != 3 {
		return clientFirst{}, false
	}
	attr := strings.Split(part[2], ",")
	if len(attr) < 2 || !strings.HasPrefix(attr[0], "n=") || !strings.HasPrefix(attr[1], "r=") {
		return clientFirst{}, false
	}
	unescape := strings.NewReplacer("=2C", ",", "=3D", "=")
	return clientFirst{
		header:   part[0] + "," + part[1] + ",",
		flag:     part[0],
		identity: unescape.Replace(strings.TrimPrefix(part[1], "a=")),
		bare:     part[2],
		user:     unescape.Replace(attr[0][2:]),
		nonce:    attr[1][2:],
	}, true
}

// scram runs the server's side of RFC 5802. The data it returns with success
// proves to the client that the server knows the password too.
func (s *Session) scram(mechanism, message string, offered []string) (user string, final []byte, err error) {
	first, ok := parseClientFirst(message)
	if !ok {
		return "", nil, saslError("malformed-request")
	}
	binding, err := s.channelBinding(mechanism, first.flag, offered)
	if err != nil {
		return "", nil, err
	}
	password, ok := s.srv.password(first.user)
	if !ok {
		return "", nil, saslError("not-authorized")
	}
	if err := s.checkIdentity(first.identity, first.user); err != nil {
		return "", nil, err
	}

	nonce := first.nonce + rand.Text()
	serverFirst := "r=" + nonce + ",s=" + base64.StdEncoding.EncodeToString(s.srv.salt) + ",i=" + strconv.Itoa(iterations)
	response, err := s.challenge(serverFirst)
	if err != nil {
		return "", nil, err
	}
	clientFinal, proofText, _ := strings.Cut(string(response), ",p=")
	proof, err := base64.StdEncoding.DecodeString(proofText)
	want := "c=" + base64.StdEncoding.EncodeToString(append([]byte(first.header), binding...)) + ",r=" + nonce
	if err != nil || clientFinal != want {
		return "", nil, saslError("not-authorized")
	}

	newHash := sha256.New
	if strings.HasPrefix(mechanism, "SCRAM-SHA-1") {
		newHash = sha1.New
	}
	signature, ok := verify(newHash, password, s.srv.salt, first.bare+","+serverFirst+","+clientFinal, proof)
	if !ok {
		return "", nil, saslError("not-authorized")
	}
	return first.user, []byte("v=" + base64.StdEncoding.EncodeToString(signature)), nil
}

// verify checks the client's proof over message and returns the server's
// signature.
func verify(newHash func() hash.Hash, password string, salt []byte, message string, proof []byte) (signature []byte, ok bool) {
	sum := func(key []byte, text string) []byte {
		h := hmac.New(newHash, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	salted, err := pbkdf2.Key(newHash, password, salt, iterations, newHash().Size())
	if err != nil {
		return nil, false
	}
	clientKey := sum(salted, "Client Key")
	h := newHash()
	h.Write(clientKey)
	want := sum(h.Sum(nil), message)
	subtle.XORBytes(want, want, clientKey)
	return sum(sum(salted, "Server Key"), message), hmac.Equal(want, proof)
}

// channelBinding returns what identifies the TLS connection, if mechanism asks
// for it, and refuses a flag that does not go with mechanism. The flag "y" says
// that the client saw no mechanism with channel binding in our offer: if there
// was one, somebody in between took it out.
func (s *Session) channelBinding(mechanism, flag string, offered []string) ([]byte, error) {
	if !strings.HasSuffix(mechanism, plus) {
		stripped := flag == "y" && slices.ContainsFunc(offered, func(m string) bool { return strings.HasSuffix(m, plus) })
		if stripped || flag != "n" && flag != "y" {
			return nil, saslError("not-authorized")
		}
		return nil, nil
	}
	state := s.rw.(*tls.Conn).ConnectionState() // or it was not offered
	switch {
	case flag == "p=tls-unique" && state.Version <= tls.VersionTLS12 && state.TLSUnique != nil:
		return state.TLSUnique, nil
	case flag == "p=tls-exporter" && state.Version == tls.VersionTLS13:
		return state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	}
	return nil, saslError("not-authorized")
}
