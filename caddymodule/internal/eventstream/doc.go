// Package eventstream holds the events of one source as the bytes that an
// event stream (WHATWG HTML §9.2) has of them, for any number of streams to
// read at their own pace, and finds the place where one goes on that was cut.
//
// A [Log] encodes an event once, when it is appended. A stream is a position in
// the log; it reads whatever has come since, and writes the same bytes as all
// others:
//
//	start := log.Resume(lastEventID) // or log.Replay(n)
//	… // write start.Entries
//	for at := start.Next; ; {
//		chunk, next, more, over, err := joiner.Read(log, at)
//		… // write the chunk; wait until the log has grown if there is no more
//		at = next
//	}
//
// A source retains items: events that are there for whoever comes later. The
// log knows which, so that it can replay them, say what happened to them while
// it did not hear of the source ([Log.Compare]), and make event IDs that mean
// something to every log of the source, in whatever process. id.go says how.
//
// The package knows neither XMPP nor HTTP.
package eventstream
