package caddymodule

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-pubsub/caddy-pubsub/xmppclient"
)

// An accountKey is equal for handlers that can share a session. It tells
// nothing about the password.
type accountKey [sha256.Size]byte

// keySalt keeps keys of this process from being compared with anything else.
var keySalt = rand.Text()

// An accountConfig is what an account is made of.
type accountConfig struct {
	key    accountKey
	client xmppclient.Config
}

// accountConfig expands the options that concern the account.
func (h *Handler) accountConfig() (accountConfig, error) {
	settings := TLS{}
	if h.TLS != nil {
		settings = *h.TLS
	}
	jid, password, server := h.JID, h.Password, h.Server
	for _, option := range []struct {
		name  string
		value *string
	}{
		{"jid", &jid}, {"password", &password}, {"server", &server},
		{"tls ca", &settings.CA}, {"tls server_name", &settings.ServerName},
	} {
		expanded, err := caddy.NewReplacer().ReplaceOrErr(*option.value, true, true)
		if err != nil {
			return accountConfig{}, fmt.Errorf("%s: %w", option.name, err)
		}
		*option.value = expanded
	}
	if jid == "" || password == "" {
		return accountConfig{}, errors.New("jid and password are required")
	}
	cfg := accountConfig{client: xmppclient.Config{Password: password, Server: server}}
	var err error
	if cfg.client.Account, err = xmppclient.ParseJID(jid); err != nil {
		return accountConfig{}, fmt.Errorf("jid: %w", err)
	}
	authorities, err := settings.authorities()
	if err != nil {
		return accountConfig{}, err
	}
	if cfg.client.TLS, err = settings.config(authorities); err != nil {
		return accountConfig{}, err
	}
	session := fmt.Sprintf("%q %q %+v", jid, server, settings)
	cfg.key = sha256.Sum256(fmt.Appendf(nil, "%s %s %q %q", keySalt, session, password, authorities))
	cfg.client.Resource = resource(session)
	return cfg, nil
}

// resource returns the resource to bind for a session: the same after a
// restart, and different for every instance of Caddy.
func resource(session string) string {
	instance, err := caddy.InstanceID()
	if err != nil {
		// Without a place to keep an identity there is none to keep.
		return "caddy-pubsub-" + rand.Text()[:12]
	}
	sum := sha256.Sum256(append(instance[:], session...))
	return "caddy-pubsub-" + hex.EncodeToString(sum[:6])
}

// authorities returns what is in the file of the authorities, if there is one.
func (t TLS) authorities() ([]byte, error) {
	if t.CA == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("tls ca: %w", err)
	}
	return pem, nil
}

func (t TLS) config(authorities []byte) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CA == "" {
		return cfg, nil
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("tls ca: %s has no certificate in PEM", t.CA)
	}
	return cfg, nil
}
