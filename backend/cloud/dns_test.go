package cloud

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
)

// useDNS makes the process resolve every name through a server of its own on loopback, which answers
// all questions for an address of the right family with ip and knows no name at all if ip is zero.
func useDNS(t *testing.T, ip netip.Addr) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 512)
		for {
			n, peer, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := dnsReply(buffer[:n], ip); reply != nil {
				_, _ = server.WriteTo(reply, peer)
			}
		}
	}()
	previous := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
		},
	}
	t.Cleanup(func() {
		net.DefaultResolver = previous
		server.Close()
		<-done
	})
}

// dnsReply answers a query with one question (RFC 1035, section 4.1).
func dnsReply(query []byte, ip netip.Addr) []byte {
	const header = 12
	end := header
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 1 + 4 // the root label, then type and class
	if end > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end-4:])
	reply := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(reply[2:], 0x8180) // a recursive answer without error
	binary.BigEndian.PutUint16(reply[4:], 1)
	clear(reply[6:header])
	const typeA, typeAAAA = 1, 28
	switch {
	case !ip.IsValid():
		reply[3] |= 3 // no such name
	case kind == typeA && ip.Is4(), kind == typeAAAA && ip.Is6():
		reply[7] = 1
		reply = append(reply, 0xc0, header) // the name of the question
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = binary.BigEndian.AppendUint16(reply, 1) // class IN
		reply = binary.BigEndian.AppendUint32(reply, 1) // seconds to live
		reply = binary.BigEndian.AppendUint16(reply, uint16(len(ip.AsSlice())))
		reply = append(reply, ip.AsSlice()...)
	}
	return reply
}
