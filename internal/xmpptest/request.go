package xmpptest

import "errors"

var (
	errForbidden    = StanzaError{"auth", "forbidden", ""}
	errNotFound     = StanzaError{"cancel", "item-not-found", ""}
	errNoNode       = StanzaError{"modify", "bad-request", "nodeid-required"}
	errNoJID        = StanzaError{"modify", "bad-request", "invalid-jid"}
	errInvalidItem  = StanzaError{"modify", "bad-request", ""}
	errConflict     = StanzaError{"cancel", "conflict", ""}
	errUnavailable  = StanzaError{"cancel", "service-unavailable", ""}
	errNotSupported = StanzaError{"cancel", "feature-not-implemented", ""}
	// Prosody has the feature as the element: <persistent-items/>.
	errTransient = StanzaError{"cancel", "feature-not-implemented", "unsupported feature='persistent-items'"}
)

// request is an IQ to the publish-subscribe service.
type request struct {
	*Session
	iq     IQ
	stanza Element
	verb   Element // what is asked, such as <subscribe/>
	node   *node   // the one verb names
}

// reply answers the request.
func (r request) reply(inner string) { r.Reply(r.iq, inner) }

// replyPubSub answers with content of a pubsub element.
func (r request) replyPubSub(content string) {
	r.reply("<pubsub xmlns='" + nsPubSub + "'>" + content + "</pubsub>")
}

// requests are what the service answers, by IQ type, namespace and verb. Each
// is called with service.mu held. It replies, or returns a StanzaError.
var requests = map[string]func(*service, request) error{
	"set " + nsPubSub + " subscribe":       (*service).handleSubscribe,
	"set " + nsPubSub + " unsubscribe":     (*service).handleUnsubscribe,
	"get " + nsPubSub + " subscriptions":   (*service).handleSubscriptions,
	"get " + nsPubSub + " items":           (*service).handleItems,
	"set " + nsPubSub + " publish":         (*service).handlePublish,
	"set " + nsPubSub + " retract":         (*service).handleRetract,
	"get " + nsPubSub + "#owner configure": (*service).handleConfigureForm,
	"set " + nsPubSub + "#owner configure": (*service).handleConfigure,
	"set " + nsPubSub + "#owner purge":     (*service).handlePurge,
	"set " + nsPubSub + "#owner delete":    (*service).handleDelete,
	"get " + nsDiscoInfo + " query":        (*service).handleDiscoInfo,
	"get " + nsDiscoItems + " query":       (*service).handleDiscoItems,
}

// handle answers a request.
func (p *service) handle(r request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var e StanzaError
	if err := p.dispatch(r); errors.As(err, &e) {
		r.Fail(r.iq, e)
	}
}

// dispatch finds the node a request is about and calls its handler. p.mu must
// be held.
func (p *service) dispatch(r request) error {
	payload := r.iq.Payload
	ns := payload.XMLName.Space
	disco := ns == nsDiscoInfo || ns == nsDiscoItems
	switch {
	case disco:
		r.verb = payload
	case len(payload.Children) > 0:
		r.verb = payload.Children[0]
	}
	verb := r.verb.XMLName.Local
	if r.iq.Type+ns+verb == "set"+nsPubSub+"create" {
		return p.handleCreate(r)
	}
	handler := requests[r.iq.Type+" "+ns+" "+verb]
	name := r.verb.Attr("node")
	switch {
	case handler == nil && ns != nsPubSub && ns != nsPubSub+"#owner":
		return errUnavailable
	case handler == nil:
		return errNotSupported
	case disco && name == "":
		return handler(p, r)
	case name == "":
		return errNoNode
	}
	r.node = p.nodes[name]
	if r.node == nil {
		return errNotFound
	}
	return handler(p, r)
}
