"""The database, in as few lines as possible."""

import psycopg2
import psycopg2.extras

from . import config


def connect():
    return psycopg2.connect(config.DATABASE_URL, cursor_factory=psycopg2.extras.RealDictCursor)


def query(sql, *args):
    with connect() as c, c.cursor() as cur:
        cur.execute(sql, args or None)
        return cur.fetchall()


def user(email):
    rows = query("SELECT id, email, password_md5 FROM users WHERE email = %s", email)
    return rows[0] if rows else None


def insert_order(order):
    with connect() as c, c.cursor() as cur:
        cur.execute(
            "INSERT INTO orders (customer, total, status) VALUES (%s, %s, 'new')",
            (order["customer"], order["total"]),
        )
