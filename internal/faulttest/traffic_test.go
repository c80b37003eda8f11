package faulttest

import "strconv"

// A traffic is what happens at a node.
type traffic struct {
	node string
	kind kind
	// config is that of the node.
	config map[string]string
	// step returns the op of that number. The number is in the mark of an item.
	step func(node string, n int) op
}

// traffics returns one of each kind, at nodes that retain so many items, or
// fewer.
func traffics(keeps int, server string) []traffic {
	isEjabberd := server == "ejabberd"
	retain := func(n int) map[string]string { return map[string]string{"pubsub#max_items": strconv.Itoa(n)} }
	transient := map[string]string{"pubsub#persist_items": "0"}
	latest := retain(1)
	if isEjabberd {
		// It retains the last item to send it to new subscribers, unless told
		// otherwise, and a subscriber cannot know that it would not do so for
		// ever. As it does with max_items of 1, it announces each item that
		// goes.
		latest = map[string]string{"pubsub#persist_items": "0"}
		transient["pubsub#send_last_published_item"] = "never"
	}
	return []traffic{
		{"plain", kind{keeps: keeps}, retain(keeps), stepNew},
		{"overwrite", kind{keeps: keeps, overwrites: true, inPlace: isEjabberd}, retain(keeps), stepOverwrite},
		{"same", kind{keeps: keeps, repeats: true}, retain(keeps), stepSame},
		{"retracting", kind{keeps: keeps}, retain(keeps), stepRetract},
		{"latest", kind{keeps: 1}, latest, stepNew},
		{"transient", kind{mute: isEjabberd}, transient, stepNew},
	}
}

// stepNew publishes one item after the other.
func stepNew(node string, n int) op {
	return op{id: markOf(node, n), mark: markOf(node, n)}
}

// stepOverwrite publishes three items in turn, with a new payload each time.
func stepOverwrite(node string, n int) op {
	return op{id: markOf(node, n%3), mark: markOf(node, n)}
}

// stepSame publishes the same item with the same payload.
func stepSame(node string, _ int) op {
	return op{id: markOf(node, 0), mark: markOf(node, 0)}
}

// stepRetract publishes and retracts in turn. The two newest items stay.
func stepRetract(node string, n int) op {
	switch {
	case n < 2:
		return op{id: markOf(node, n), mark: markOf(node, n)}
	case n%2 == 0:
		return op{id: markOf(node, n/2+1), mark: markOf(node, n)}
	}
	return op{id: markOf(node, n/2-1), retract: true}
}
