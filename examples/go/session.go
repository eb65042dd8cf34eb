package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vmihailenco/msgpack/v5"
)

// message is any control message: each op has some of these.
type message struct {
	Op         string             `msgpack:"op"`
	Node       string             `msgpack:"node"`
	Heartbeat  float64            `msgpack:"heartbeat"`
	Fields     []string           `msgpack:"fields"`
	Symbols    msgpack.RawMessage `msgpack:"symbols"` // names; in subscribed, pairs of a name and a handle
	Rejected   []message          `msgpack:"rejected"`
	Symbol     string             `msgpack:"symbol"`
	Code       any                `msgpack:"code"` // a text, but a number in bye
	Message    string             `msgpack:"message"`
	State      string             `msgpack:"state"`
	Reason     string             `msgpack:"reason"`
	Interval   float64            `msgpack:"interval"`
	RetryAfter float64            `msgpack:"retryAfter"`
}

// grant is a symbol and its handle in ticks.
type grant struct {
	_msgpack struct{} `msgpack:",as_array"`
	Symbol   string
	Handle   int
}

// quote is a symbol on one connection: its granted fields and its last seq.
type quote struct {
	symbol string
	fields []string
	seq    float64 // 0 before the first
}

// session is one connection. Handles are valid only on it.
type session struct {
	conn       *websocket.Conn
	symbols    []string
	byHandle   map[int]*quote
	bySymbol   map[string]*quote
	heartbeat  time.Duration // 0 before hello
	greetedAt  time.Time
	retryAfter time.Duration // from the gateway's bye; negative without one
}

// run reads messages until the connection ends, or until none arrives for three heartbeats.
func (s *session) run(address string) error {
	dialer := websocket.Dialer{Subprotocols: []string{"tickgate.v1.msgpack"}, HandshakeTimeout: helloTime}
	conn, answer, err := dialer.Dial(address, nil)
	if errors.Is(err, websocket.ErrBadHandshake) {
		return errors.New("the answer is " + answer.Status)
	} else if err != nil {
		return err
	}
	defer conn.Close()
	s.conn = conn
	limit := helloTime
	var silence *time.Timer // fires when nothing has arrived for two heartbeats
	for {
		conn.SetReadDeadline(time.Now().Add(limit))
		_, data, err := conn.ReadMessage()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return errors.New("nothing heard from the gateway")
		} else if err != nil {
			return err
		}
		if silence != nil && !silence.Reset(2*s.heartbeat) {
			say("heard again")
		}
		if err := s.receive(data); err != nil {
			return err
		}
		if silence == nil {
			limit = 3 * s.heartbeat
			warning := fmt.Sprintf("nothing heard for %v: all prices are stale", 2*s.heartbeat)
			silence = time.AfterFunc(2*s.heartbeat, func() { say("%s", warning) })
			defer silence.Stop()
		}
	}
}

// receive handles a message: a data frame is an array, [sentAt, [handle, seq, eventTime, value, …], …], all others are maps.
func (s *session) receive(data []byte) error {
	var frame []msgpack.RawMessage
	if msgpack.Unmarshal(data, &frame) == nil {
		for _, raw := range frame[1:] {
			var tick []*float64 // nil where a value is unknown
			if err := msgpack.Unmarshal(raw, &tick); err != nil {
				return err
			}
			s.byHandle[int(*tick[0])].tick(*tick[1], tick[3:])
		}
		return nil
	}
	var m message
	if err := msgpack.Unmarshal(data, &m); err != nil {
		return err
	}
	return s.control(m)
}

func (q *quote) tick(seq float64, values []*float64) {
	line := q.symbol
	for i, name := range q.fields {
		value := "-"
		if values[i] != nil {
			value = strconv.FormatFloat(*values[i], 'f', -1, 64)
		}
		line += " " + name + "=" + value
	}
	note := "snapshot"
	if q.seq > 0 {
		note = fmt.Sprintf("conflated=%.0f", seq-q.seq-1)
	}
	q.seq = seq
	say("%s seq=%.0f %s", line, seq, note)
}

func (s *session) control(m message) error {
	switch m.Op {
	case "hello":
		s.heartbeat, s.greetedAt = millis(m.Heartbeat), time.Now()
		say("connected to %s", m.Node)
		terms := map[string]any{"interval": 250, "fields": []string{"bid", "ask", "last"}}
		terms["op"], terms["symbols"] = "subscribe", s.symbols
		data, err := msgpack.Marshal(terms)
		if err != nil {
			return err
		}
		return s.conn.WriteMessage(websocket.BinaryMessage, data)
	case "subscribed": // the answer, or a part of it, and again when a pattern matches a new symbol
		var grants []grant
		if err := msgpack.Unmarshal(m.Symbols, &grants); err != nil {
			return err
		}
		for _, g := range grants {
			q := &quote{symbol: g.Symbol, fields: m.Fields}
			s.byHandle[g.Handle], s.bySymbol[g.Symbol] = q, q
		}
		for _, no := range m.Rejected {
			say("%s is not granted: %s (%v)", no.Symbol, no.Message, no.Code)
		}
	case "status":
		var symbols []string
		if err := msgpack.Unmarshal(m.Symbols, &symbols); err != nil {
			return err
		}
		if m.Reason != "" {
			m.Reason = ": " + m.Reason
		}
		for _, symbol := range symbols {
			say("%s %s%s", symbol, m.State, m.Reason)
			if q := s.bySymbol[symbol]; q != nil && m.State == "gap" {
				q.seq = 0 // across a gap, seq does not count conflated ticks
			}
		}
	case "quality":
		say("updates are %s: one in %.0f ms (%s)", m.State, m.Interval, m.Reason)
	case "error":
		say("the gateway says %v: %s", m.Code, m.Message)
	case "bye":
		if s.retryAfter = millis(m.RetryAfter); s.retryAfter > longestRetry {
			s.retryAfter = longestRetry
		}
	}
	return nil
}

func millis(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
