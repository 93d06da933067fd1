// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package grpcnotifier

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

const (
	// maxMessage bounds a request and a response, in bytes.
	maxMessage = 256 << 10
	// prefixLength is the length of the prefix of a message in the body of a call, in bytes.
	prefixLength = 5
)

// Server is a server of the interface.
type Server struct {
	client *outbound.Client
	url    string
	host   string // for the header Host; "": the URL's host
}

// NewServer returns the server of a Config with a valid address.
func NewServer(config Config, client *outbound.Client) *Server {
	address, isPlain := strings.CutPrefix(strings.TrimSpace(config.Address), plainScheme)
	scheme := "https"
	if isPlain {
		scheme = "http"
	}
	return &Server{client: client.HTTP2(scheme, config.ServerName, maxMessage+prefixLength), url: scheme + "://" + address, host: config.ServerName}
}

// Call makes one call. It also returns the call's request and response of HTTP: an error may be one that the library made of them.
func Call[Request, Response any](ctx context.Context, s *Server, authorization, method string, request *Request) (*Response, *notify.Call, error) {
	made := &notify.Call{Client: s.client}
	r := connect.NewRequest(request)
	for name, value := range map[string]string{"Authorization": authorization, "Host": s.host} {
		if value != "" {
			r.Header().Set(name, value)
		}
	}
	response, err := connect.NewClient[Request, Response](made, s.url+method, options...).CallUnary(ctx, r)
	if err != nil {
		return nil, made, err
	}
	return response.Msg, made, nil
}

// options are the library's options: gRPC, and no compression, since the size of a response is bounded.
var options = []connect.ClientOption{connect.WithGRPC(), connect.WithAcceptCompression("gzip", nil, nil)}
