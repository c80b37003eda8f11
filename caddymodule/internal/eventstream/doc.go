// Package eventstream holds the events of one source as the bytes that an
// event stream (WHATWG HTML §9.2) has of them, for any number of streams to
// read at their own pace.
//
// A [Log] encodes an event once, when it is appended. A stream is a position in
// the log; it reads whatever has come since, and writes the same bytes as all
// others:
//
//	at := log.End()
//	for {
//		frames, next, more, err := log.Read(at)
//		… // write the frames, then wait for more
//		at = next
//	}
//
// The package knows neither XMPP nor HTTP.
package eventstream
