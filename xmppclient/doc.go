// Package xmppclient is a client for publish-subscribe over XMPP (XEP-0060).
//
// It logs in to a server as an ordinary client (RFC 6120), keeps a set of
// subscriptions standing for as long as they are wanted, and reports what the
// subscribed nodes notify:
//
//	C: <iq type='set' to='pubsub.example.org'><pubsub><subscribe node='news' jid='gateway@example.org/web'/></pubsub></iq>
//	S: <iq type='result' from='pubsub.example.org'><pubsub><subscription node='news' subscription='subscribed' …/></pubsub></iq>
//	S: <message from='pubsub.example.org'><event><items node='news'><item id='1'>payload</item></items></event></message>
//
// [New] makes a [Client] and does no I/O; [Client.Run] connects, reconnects,
// and returns when its context ends and everything it started has ended.
// Subscriptions are declared ([Client.Subscribe]) and kept over all sessions;
// requests ([Client.Items], [Client.Publish] …) are made once and answered or
// failed.
//
// XML leaves the package only as the text of a payload, which is well formed
// and declares every namespace that it uses.
//
// The negotiation of the stream, JIDs and the reading of the stream are
// mellium.im/xmpp's. The connection below it ([link]), the matching of replies
// to requests and the encoding of payloads are done here, so that no silent
// server, no stuck connection and no hostile stanza can hold or end more than
// one session.
package xmppclient
