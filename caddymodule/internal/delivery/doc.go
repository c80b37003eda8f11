// Package delivery keeps very many event streams going with few goroutines.
//
// An [Engine] has a few loops, about as many as there are processors. Each
// stream is a [Member] of one of them. What happens to a source, such as a log
// that grew, is told to its [Audience]: that costs whoever tells it the same
// whatever the number of streams, since the loops go through these.
//
//	audience.Notify() ──► loop ──┬──► stream.Next, then a write that does not wait
//	                             └──► wakes the goroutine of a stream that has one
//
// A stream begins with a goroutine of its own, that of its HTTP request, which
// its loop wakes when there may be something new or when a time has come. Where
// the connection can be taken over, which is HTTP/1.1 on Linux, the goroutine
// hands it to the loop ([Member.Take]) and ends. From then on the stream has
// neither goroutine nor timer, and no buffer either as long as the client keeps
// up.
//
// A loop writes without waiting. A connection that takes no more is parked with
// the rest of what was begun. When the system says that it takes more, the
// stream reads on where it stood; it is cut if that takes too long, or if what
// it wants next is no longer retained.
package delivery
