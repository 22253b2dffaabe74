from app.main import app

# A token of the test issuer, taken from the environment.
import os

SERVICE_TOKEN = os.environ.get("SERVICE_TOKEN", "")


def client():
    return app.test_client()


def test_greeting():
    assert b"Hello Ada" in client().get("/greeting?name=Ada").data


def test_login_refuses():
    r = client().post("/login", data={"email": "a@example.com", "password": "changeme"})
    assert r.status_code == 401


def test_service_token():
    r = client().get("/orders", headers={"Authorization": "Bearer " + SERVICE_TOKEN})
    assert r.status_code == 200
