// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// postOfProm brings a post of Prometheus to a member, or to the operator.
func (sim *simulation) postOfProm(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.URL.Hostname() == "bellhop" {
		code, err := sim.forward(r, body)
		if err != nil {
			return nil, err
		}
		return answerOf(r, code), nil
	}
	name := r.URL.Hostname()
	n := int(name[0] - 'A')
	sim.mu.Lock()
	m, isBlind := sim.members[n], sim.blind[name] > 0
	sim.mu.Unlock()
	if m == nil || isBlind {
		return nil, errRefused
	}
	if body, err = shift(body, -sim.history.skew[n]); err != nil {
		return nil, err
	}
	posted, err := decodePosted(body)
	if err != nil {
		return nil, err
	}
	if err := m.put(posted); err != nil {
		sim.log.Error("an Alertmanager refuses alerts", "err", err)
		return answerOf(r, http.StatusBadRequest), nil
	}
	return answerOf(r, http.StatusOK), nil
}

// serve brings a post of a member to the operator.
func (sim *simulation) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	code := 0
	if err == nil {
		code, err = sim.forward(r, body)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	rw.WriteHeader(code)
}

var errLost = errors.New("the connection was reset")

// forward brings a post to the operator, whose path begins with the name of its sender, and returns the code of the answer.
func (sim *simulation) forward(r *http.Request, body []byte) (code int, err error) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	sim.mu.Lock()
	isCut, refuses, loses, to := sim.cut[name] > 0, sim.refusing > 0, sim.losing > 0, sim.operator
	sim.mu.Unlock()
	by := sim.history.ahead
	if name != apiSource {
		by += sim.history.skew[int(name[0]-'A')]
	}
	switch {
	case isCut || to == nil:
		return 0, errRefused
	case refuses:
		return http.StatusServiceUnavailable, nil
	}
	if body, err = shift(body, by); err != nil {
		return 0, err
	}
	post, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "https://bellhop/"+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	post.Header = r.Header.Clone()
	answered := sim.oracle.posting(strings.Split(path, "/")[4], name, body)
	response, err := to.toListener.RoundTrip(post)
	code = 0
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		code = response.StatusCode
	}
	answered(code)
	if loses {
		return 0, errLost
	}
	return code, err
}

// shift moves the times of alerts in a post: the sender's clock differs from the other side's.
func shift(body []byte, by time.Duration) ([]byte, error) {
	if by == 0 {
		return body, nil
	}
	var post any
	if err := json.Unmarshal(body, &post); err != nil {
		return nil, err
	}
	all, isList := post.([]any)
	if webhook, ok := post.(map[string]any); ok {
		all, isList = webhook["alerts"].([]any)
	}
	if !isList {
		return nil, fmt.Errorf("a post has no alerts: %s", body)
	}
	for _, a := range all {
		fields, _ := a.(map[string]any)
		for _, name := range []string{"startsAt", "endsAt"} {
			text, _ := fields[name].(string)
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil && at.Year() > 1 {
				fields[name] = at.Add(by).Format(time.RFC3339Nano)
			}
		}
	}
	return json.Marshal(post)
}
