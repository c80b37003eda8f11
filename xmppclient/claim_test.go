package xmppclient

import "fmt"

// Claim has c say that it has handled so many stanzas more than it has. It is
// called in OnEvent, and is for the tests in package xmppclient_test.
func Claim(c *Client, more uint32) error {
	s, err := c.current()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.link, "<a xmlns='%s' h='%d'/>", nsSM, c.resumption.handled+more)
	return err
}
