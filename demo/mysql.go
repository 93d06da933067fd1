// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// accessDenied is the number of MySQL's error ER_ACCESS_DENIED_ERROR.
const accessDenied = 1045

// credentials are the data of a ServiceBinding's Secret.
type credentials map[string]string

// credentials reads a Secret.
func (d *demo) credentials(ctx context.Context, secret string) (credentials, error) {
	var object struct{ Data map[string][]byte }
	if err := d.getObject(ctx, "secret "+secret, &object); err != nil {
		return nil, err
	}
	c := credentials{}
	for key, value := range object.Data {
		c[key] = string(value)
	}
	return c, nil
}

func (c credentials) withValue(key, value string) credentials {
	other := maps.Clone(c)
	other[key] = value
	return other
}

// A session is a TCP connection of a user who has logged in.
type session struct{ db *sql.DB }

// logIn opens a session.
func (c credentials) logIn(ctx context.Context) (*session, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(c["host"], c["port"])
	config.User, config.Passwd, config.DBName = c["username"], c["password"], c["database"]
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	s := &session{sql.OpenDB(connector)}
	s.db.SetMaxOpenConns(1)
	if err := s.db.PingContext(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// checkLogin returns the error of a login.
func (c credentials) checkLogin(ctx context.Context) error {
	s, err := c.logIn(ctx)
	if err == nil {
		s.close()
	}
	return err
}

func (s *session) close() { _ = s.db.Close() } // an error has no consequence

// query returns the rows of a statement's result, one per line, or OK if there are none.
func (s *session) query(ctx context.Context, statement string) (string, error) {
	rows, err := s.db.QueryContext(ctx, statement)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the error
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var lines []string
	for rows.Next() {
		cells, targets := make([]string, len(columns)), make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return "", err
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	if len(lines) == 0 {
		lines = []string{"OK"}
	}
	return strings.Join(lines, "\n"), rows.Err()
}

// mysqlError returns the number of an error of the MySQL server, or 0 for any other error.
func mysqlError(err error) int {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return int(e.Number)
	}
	return 0
}
