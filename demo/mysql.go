/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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

// accessDenied is the number of MySQL's error.
const accessDenied = 1045

// credentials are what the Secret of a ServiceBinding has.
type credentials map[string]string

// credentials reads a Secret, as an application would be given it.
func (d *demo) credentials(ctx context.Context, secret string) (credentials, error) {
	var object struct{ Data map[string][]byte }
	if err := d.get(ctx, "secret "+secret, &object); err != nil {
		return nil, err
	}
	c := credentials{}
	for key, value := range object.Data {
		c[key] = string(value)
	}
	return c, nil
}

func (c credentials) with(key, value string) credentials {
	other := maps.Clone(c)
	other[key] = value
	return other
}

// A session is a connection over TCP of somebody who has logged in.
type session struct{ db *sql.DB }

// open logs in.
func (c credentials) open(ctx context.Context) (*session, error) {
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

// login says whether one can log in.
func (c credentials) login(ctx context.Context) error {
	s, err := c.open(ctx)
	if err == nil {
		s.close()
	}
	return err
}

func (s *session) close() { _ = s.db.Close() } // nothing depends on it

// run returns the rows that a statement has for an answer, each on a line, or OK.
func (s *session) run(ctx context.Context, statement string) (string, error) {
	rows, err := s.db.QueryContext(ctx, statement)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }() // rows.Err has it
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

// mysqlError returns the number of an error of the MySQL server, 0 for another.
func mysqlError(err error) int {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return int(e.Number)
	}
	return 0
}
