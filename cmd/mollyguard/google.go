package main

import (
	"net"
	"net/netip"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// googleClient are the options of a client of Google's for an endpoint: empty for
// Google's own, and what is on this machine is an emulator, which takes neither TLS nor
// credentials.
func googleClient(endpoint string) []option.ClientOption {
	options := []option.ClientOption{option.WithUserAgent("mollyguard/" + version())}
	if host, _, err := net.SplitHostPort(endpoint); err == nil && isLoopback(host) {
		options = append(options, option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	return options
}

// isLoopback does not take names, which others may say the address of.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
