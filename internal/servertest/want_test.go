package servertest

import (
	"fmt"
	"strings"
	"testing"
)

func wantNoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantItems wants the node to have the items that items(n) made.
func wantItems(t testing.TB, c *Client, node string, n int) {
	t.Helper()
	reply, err := c.Items(node)
	wantNoError(t, err)
	if got := strings.Count(reply, "<item "); got != n {
		t.Fatalf("%d items, want %d: %s", got, n, reply)
	}
	for i := range n {
		if !strings.Contains(reply, fmt.Sprintf(">%d</n>", i)) {
			t.Fatalf("item %d is missing: %s", i, reply)
		}
	}
}
