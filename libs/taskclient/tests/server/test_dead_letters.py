"""Dead letters on a real server: what is counted, read, put back and removed, also by many at once."""

import hashlib
import json
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from taskclient.client import TaskClient
from taskclient.dead_letters import LetterFilter
from taskclient.dead_moves import CHANGED, put_back
from taskclient.dead_scan import PAGE
from taskclient.errors import BrokerUnavailable, LetterNotFound, NotReplayable
from taskclient.letters import BURY_LUA, DELIVERY_LIMIT, UNREADABLE, dead_key
from taskclient.message import build_message
from taskclient.results import KEY_PREFIX, ResultStore

MANY = 10_000
START = 1_000_000.0  # seconds since 1970


@pytest.fixture
def client(letters_valkey):
    with TaskClient(letters_valkey.url) as client:
        yield client


@pytest.fixture
def dead(client):
    return client.dead_letters()


@pytest.fixture
def server(letters_valkey):
    with letters_valkey.client() as server:
        yield server


def keys(server):
    return {key.decode() for key in server.keys("*")}


def used_up(letter_id, **options):
    raw = build_message("app.tasks.demo.add", {"a": "ü"}, queue="demo", task_id=letter_id, **options)
    return raw.replace(b'"retries": 0', b'"retries": 15')


class TestBury:
    def test_a_letter_keeps_its_first_time_and_counts_its_deaths(self, bury, dead):
        bury("x", now=START, error="first")
        bury("x", now=START + 60.25, error="second")

        letter = dead.show("x").letter
        assert (letter.first, letter.last, letter.attempts, letter.error) == (START, START + 60.25, 2, "second")
        assert dead.get_dlq_stats()[0].letters == 1

    def test_limits_drop_the_oldest_and_say_so(self, bury, dead):
        for number in range(5):
            bury(f"id{number}", now=START + number, limits=(1e9, 3, 1e9))

        stats = dead.get_dlq_stats()[0]
        assert [letter.id for letter in dead.list().letters] == ["id4", "id3", "id2"]
        assert (stats.letters, stats.dropped, stats.reasons, stats.limits.letters) == (3, 2, {"failed": 3}, 3)

    def test_a_letter_that_is_too_old_is_dropped(self, bury, dead):
        bury("old", now=START)
        bury("new", now=START + 101, limits=(100, 10, 1e9))

        assert [letter.id for letter in dead.list().letters] == ["new"]

    def test_one_letter_is_kept_whatever_the_limits(self, bury, dead):
        bury("x", now=START, limits=(0, 0, 0))

        assert dead.count() == 1

    def test_a_record_that_somebody_has_broken_hurts_nobody(self, bury, dead, server):
        for broken in ("no json", "[]", '{"first": "x", "attempts": []}'):
            server.hset(f"{dead_key('demo')}:letters", "x", broken)
            bury("x", now=START)
            assert (dead.show("x").letter.first, dead.show("x").letter.attempts) == (START, 1)

            server.hset(f"{dead_key('demo')}:letters", "x", broken)
            assert "cannot be read" in dead.list().letters[0].error or dead.list().letters[0].id == "x"
            assert dead.discard("x").id == "x"


class TestStats:
    def test_everything_a_service_holds_back(self, bury, dead, server):
        bury("a", now=START, task="app.tasks.demo.add")
        bury("b", now=START + 1, task="app.tasks.demo.add", reason=DELIVERY_LIMIT)
        raw = bury("c", b"\xff", now=START + 2, task=None, reason=UNREADABLE)
        server.zadd("worker:demo:delayed", {"1\ndemo\nraw": 1})
        server.zadd("worker:demo:holders", {"h1": 1, "h2": 1})
        server.hset("worker:demo:inflight:h1", "1", "demo\nraw")
        server.hset("worker:demo:inflight:h2", mapping={"1": "demo\nraw", "2": "demo\nraw"})
        server.sadd("worker:demo:parked", "app.tasks.demo.new")
        server.lpush("worker:demo:parked:app.tasks.demo.new", "demo\nraw")
        server.sadd("workerkit:services", "idle")

        stats, idle = dead.get_dlq_stats()

        assert raw == b"\xff"
        assert (stats.service, stats.letters, stats.oldest, stats.newest) == ("demo", 3, START, START + 2)
        assert stats.reasons == {"delivery limit": 1, "failed": 1, "unreadable": 1}
        assert stats.tasks == {"app.tasks.demo.add": 2, "": 1}
        assert (stats.delayed, stats.in_flight, stats.parked) == (1, 3, {"app.tasks.demo.new": 1})
        stored = server.hgetall(f"{dead_key('demo')}:letters"), server.hgetall(f"{dead_key('demo')}:raw")
        assert stats.bytes == sum(len(value) for values in stored for value in values.values())
        assert (idle.service, idle.letters, idle.limits, idle.oldest) == ("idle", 0, None, None)

    def test_nothing_is_left_of_letters_that_are_gone(self, bury, dead, server):
        for number in range(3):
            bury(f"id{number}")
        dead.replay("id0")
        dead.discard("id1")
        list(dead.discard_all())

        stats = dead.get_dlq_stats()[0]
        assert (stats.letters, stats.bytes, stats.reasons, stats.tasks) == (0, 0, {}, {})
        left = {key for key in keys(server) if key.startswith("worker:")}
        assert left == {f"{dead_key('demo')}:{name}" for name in ("bytes", "limits", "replayed:id0")}


class TestList:
    def test_filters(self, bury, dead):
        bury("a", now=START, task="app.tasks.email.send", error="SMTPError: away")
        bury("b", now=START + 60, task="app.tasks.etl.load", reason=DELIVERY_LIMIT)
        bury("c", now=START + 120, service="other", task=None, error="KeyError: 'x'")
        at = lambda seconds: datetime.fromtimestamp(START + seconds, UTC)  # noqa: E731

        def found(**wanted):
            return [letter.id for letter in dead.list(LetterFilter(**wanted)).letters]

        assert found() == ["c", "b", "a"]
        assert found(task="app.tasks.email.*") == ["a"]
        assert found(task="app.tasks.etl.load") == ["b"]
        assert found(reason=DELIVERY_LIMIT) == ["b"]
        assert found(error="smtperror") == ["a"]
        assert found(since=at(60)) == ["c", "b"]
        assert found(until=at(60)) == ["b", "a"]
        assert found(since=at(30), until=at(90)) == ["b"]
        assert [letter.service for letter in dead.list().letters] == ["other", "demo", "demo"]

    def test_one_service_only(self, bury, client):
        bury("a", service="one")
        bury("b", service="two")

        assert [letter.id for letter in client.dead_letters("two").list().letters] == ["b"]
        assert client.dead_letters("unknown").list().letters == ()

    @pytest.mark.parametrize("spread", [0, 1])
    def test_pages_bring_each_letter_once_also_while_others_leave(self, bury, dead, spread):
        total = 2 * PAGE + 7
        for number in range(total):
            bury(f"id{number:04}", now=START + number * spread)
        seen, after = [], None
        while True:
            page = dead.list(limit=50, after=after)
            seen += [letter.id for letter in page.letters]
            if page.next is None:
                break
            after = page.next
            dead.discard(page.letters[-1].id)
            dead.discard(page.letters[0].id)

        assert seen == [f"id{number:04}" for number in reversed(range(total))]

    @pytest.mark.parametrize("wrong", ["x", "x:id", ""])
    def test_a_place_that_no_page_named(self, dead, wrong):
        with pytest.raises(ValueError, match="`next` of a page"):
            dead.list(after=wrong)

    def test_a_time_without_a_zone(self, bury, dead):
        bury("a")
        with pytest.raises(ValueError, match="time zone"):
            dead.list(LetterFilter(since=datetime(2030, 1, 1)))  # noqa: DTZ001


class TestReplay:
    def test_the_body_stays_byte_for_byte_and_the_retries_begin_anew(self, bury, dead, server):
        later = datetime.now(UTC) + timedelta(hours=1)
        raw = bury("x", used_up("x", eta=later, expires=later))

        assert dead.replay("x").id == "x"

        [pushed] = server.lrange("demo", 0, -1)
        before, after = json.loads(raw), json.loads(pushed)
        assert (after["body"], after["headers"]["id"]) == (before["body"], "x")
        assert [after["headers"][name] for name in ("retries", "eta", "expires")] == [0, None, None]
        assert after["headers"]["x-published-at"] >= before["headers"]["x-published-at"]
        assert dead.count() == 0

    def test_it_goes_to_the_back_of_the_list_it_came_from(self, bury, dead, server):
        server.lpush("demo\x06\x163", "earlier")
        bury("x", b'{"headers": {"id": "x"}}', list="demo\x06\x163")

        dead.replay("x")

        assert server.lrange("demo\x06\x163", 0, -1) == [b'{"headers": {"id": "x"}}', b"earlier"]

    @pytest.mark.parametrize("raw", [b"\xff\x00\r\n", b'{"headers": {"retries": 3}}'])
    def test_an_unreadable_message_is_put_back_byte_for_byte(self, bury, dead, server, raw):
        bury("x", raw, reason=UNREADABLE)

        dead.replay("x")

        assert server.lrange("demo", 0, -1) == [raw]

    def test_its_count_of_deliveries_begins_anew(self, bury, dead, server):
        raw = bury("x", reason=DELIVERY_LIMIT)
        server.hset("worker:demo:attempts", mapping={_sha1(raw): 3, "another": 1})

        dead.replay("x")

        assert server.hgetall("worker:demo:attempts") == {b"another": b"1"}

    def test_a_letter_that_dies_again_keeps_its_history(self, bury, dead, server):
        raw = bury("x", now=START)
        bury("x", raw, now=START + 1)
        dead.replay("x")
        assert 0 < server.ttl(f"{dead_key('demo')}:replayed:x") <= 30 * 86_400

        bury("x", raw, now=START + 2)

        letter = dead.show("x").letter
        assert (letter.first, letter.last, letter.attempts) == (START, START + 2, 3)
        assert not server.exists(f"{dead_key('demo')}:replayed:x")

    def test_what_is_not_there(self, dead, bury):
        bury("x")
        dead.replay("x")
        for act in (dead.replay, dead.discard, dead.show):
            with pytest.raises(LetterNotFound, match="tasks dead list"):
                act("x")

    def test_a_letter_without_a_list_needs_one(self, bury, dead, server):
        bury("x", list="")
        with pytest.raises(NotReplayable, match="which list"):
            dead.replay("x")

        dead.replay("x", to="other")

        assert server.llen("other") == 1

    def test_a_list_that_is_something_else_keeps_the_letter(self, bury, dead, server):
        bury("x", list="taken")
        server.set("taken", "text")

        with pytest.raises(NotReplayable, match="is no list"):
            dead.replay("x")

        assert dead.count() == 1

    def test_a_full_server_keeps_the_letter(self, bury, dead, server):
        bury("x")
        server.config_set("maxmemory", 1)
        try:
            with pytest.raises(BrokerUnavailable, match="full"):
                dead.replay("x")
            assert dead.show("x").letter.id == "x"
            assert dead.discard("x").id == "x"  # which frees memory, so it must work now above all
        finally:
            server.config_set("maxmemory", 0)
        assert (dead.count(), server.llen("demo")) == (0, 0)

    def test_a_letter_that_has_changed_since_it_was_read_is_not_replayed(self, bury, server):
        raw = bury("x")
        newer = bury("x", used_up("x"))

        assert put_back(server, "demo", "x", raw, raw, "demo") == CHANGED
        assert (server.llen("demo"), server.hget(f"{dead_key('demo')}:raw", "x")) == (0, newer)

    def test_a_failure_that_came_after_the_replay_stays(self, client, letters_valkey):
        with letters_valkey.client(1) as stored, closing(ResultStore(letters_valkey.url[:-1] + "1")) as results:
            keys = [f"{KEY_PREFIX}{name}" for name in ("failed", "failed-anew", "done", "unreadable", "unknown")]
            kinds = ("FAILURE", "FAILURE", "SUCCESS")
            stored.mset(
                {key: json.dumps({"status": kind, "result": 1}) for key, kind in zip(keys, kinds, strict=False)}
            )
            stored.set(keys[3], b"\xff")
            failures = results.failures([key.removeprefix(KEY_PREFIX) for key in keys])
            assert sorted(failures) == keys[:2]
            stored.set(keys[1], json.dumps({"status": "FAILURE", "result": 2}))

            results.forget_failures(failures)

            assert [client.handle(name).status() for name in ("failed", "failed-anew")] == ["PENDING", "FAILURE"]
            assert stored.exists(*keys) == 3

    def test_results_that_cannot_be_reached_keep_no_letter(self, bury, letters_valkey, server):
        bury("x")
        with TaskClient(letters_valkey.url, "redis://127.0.0.1:1/1") as client:
            assert client.dead_letters().replay("x").id == "x"
        assert server.llen("demo") == 1

    def test_a_reply_that_gets_lost_neither_doubles_nor_denies_the_replay(self, bury, letters_valkey, server):
        bury("x")
        with CutReplies(letters_valkey.port) as proxy:
            url = letters_valkey.url.replace(f":{letters_valkey.port}/", f":{proxy.port}/")
            with TaskClient(url) as client:
                assert client.dead_letters().replay("x").id == "x"

        assert proxy.cuts == 1
        assert server.llen("demo") == 1

    def test_two_services_with_one_id(self, bury, dead, client, server):
        bury("x", service="one", list="one")
        bury("x", service="two", list="two")
        with pytest.raises(ValueError, match="one, two each have"):
            dead.replay("x")

        client.dead_letters("two").replay("x")

        assert (server.llen("one"), server.llen("two")) == (0, 1)

    def test_twenty_replayers_put_each_letter_back_exactly_once(self, bury, letters_valkey, server):
        ids = {f"id{number}" for number in range(300)}
        for letter_id in ids:
            bury(letter_id, used_up(letter_id))
        replayed, barrier = [], threading.Barrier(20)

        def replay():
            with TaskClient(letters_valkey.url) as own:
                barrier.wait()
                replayed.extend(letter.id for letter in own.dead_letters().replay_all())

        threads = [threading.Thread(target=replay) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        pushed = [json.loads(raw)["headers"]["id"] for raw in server.lrange("demo", 0, -1)]
        assert sorted(pushed) == sorted(replayed) == sorted(ids)
        assert server.zcard(dead_key("demo")) == server.hlen(f"{dead_key('demo')}:raw") == 0

    def test_replayers_and_discarders_at_once_do_one_or_the_other(self, bury, letters_valkey, server):
        ids = {f"id{number}" for number in range(200)}
        for letter_id in ids:
            bury(letter_id)
        done = {"replay_all": [], "discard_all": []}

        def act(verb):
            with TaskClient(letters_valkey.url) as own:
                done[verb].extend(letter.id for letter in getattr(own.dead_letters(), verb)())

        threads = [threading.Thread(target=act, args=[verb]) for verb in [*done] * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        pushed = {json.loads(raw)["headers"]["id"] for raw in server.lrange("demo", 0, -1)}
        assert pushed == set(done["replay_all"])
        assert sorted(done["replay_all"] + done["discard_all"]) == sorted(ids)


class TestAll:
    def test_the_longest_dead_first_and_only_those_that_fit(self, bury, dead, server):
        for number in range(4):
            bury(f"id{number}", now=START - number, error=f"error {number % 2}")

        assert [letter.id for letter in dead.replay_all(LetterFilter(error="error 1"))] == ["id3", "id1"]
        assert [json.loads(raw)["headers"]["id"] for raw in server.lrange("demo", 0, -1)] == ["id1", "id3"]
        assert dead.count() == 2

    @pytest.mark.parametrize("later", [0.0, 5.0])
    def test_those_that_die_again_meanwhile_are_not_replayed_for_ever(self, bury, dead, later):
        for number in range(5):
            bury(f"id{number}", now=START)
        replayed = []
        for letter in dead.replay_all():
            replayed.append(letter.id)
            bury(letter.id, now=START + later)

        assert sorted(replayed) == [f"id{number}" for number in range(5)]
        assert dead.count() == 5

    def test_a_rate(self, bury, dead):
        for number in range(5):
            bury(f"id{number}")
        began = datetime.now(UTC)

        assert len(list(dead.replay_all(per_second=20))) == 5
        assert datetime.now(UTC) - began >= timedelta(seconds=4 / 20)

    @pytest.mark.parametrize("rate", [0, -1])
    def test_a_rate_that_is_none(self, dead, rate):
        with pytest.raises(ValueError, match="above 0"):
            next(dead.replay_all(per_second=rate))

    def test_several_services(self, bury, dead, server):
        bury("a", service="one", list="one", now=START + 1)
        bury("b", service="two", list="two", now=START)

        assert [letter.id for letter in dead.replay_all()] == ["b", "a"]
        assert (server.llen("one"), server.llen("two")) == (1, 1)


class TestManyLetters:
    """The work for one question must not grow with what it does not ask for."""

    @pytest.fixture
    def many(self, letters_valkey):
        source = BURY_LUA + (
            "for i = tonumber(ARGV[1]), tonumber(ARGV[1]) + 249 do\n"
            "bury(KEYS[1], 'id' .. i, ARGV[2], ARGV[3], i, {1e9, 1e9, 1e12}) end"
        )
        letter = {"id": "", "reason": "failed", "list": "demo", "task": "app.tasks.demo.add", "traceback": "x" * 2000}
        with letters_valkey.client() as server:
            fill = server.register_script(source)
            for first in range(1, MANY, 250):  # a script of all would take longer than a client waits
                fill(keys=[dead_key("demo")], args=[first, json.dumps(letter), b"{}"])
            yield server

    def costs(self, server, act):
        """Bytes that the server has sent, and the commands it has run."""
        server.config_resetstat()
        result = act()
        stats = server.info("commandstats")
        return result, server.info("stats")["total_net_output_bytes"], {name.removeprefix("cmdstat_") for name in stats}

    def test_statistics(self, many, dead):
        [stats], sent, commands = self.costs(many, dead.get_dlq_stats)

        assert (stats.letters, stats.reasons) == (MANY, {"failed": MANY})
        assert sent < 20_000
        assert not commands & {"keys", "scan", "hscan", "hvals", "hkeys"}

    def test_a_page(self, many, dead):
        page, sent, commands = self.costs(many, lambda: dead.list(limit=20))

        assert [letter.id for letter in page.letters] == [f"id{MANY - number}" for number in range(20)]
        assert sent < 2 * PAGE * 2_500
        assert not commands & {"keys", "scan", "hgetall", "hvals", "hkeys"}

        last, sent, _ = self.costs(many, lambda: dead.list(limit=20, after="21.0:id21"))
        assert ([letter.id for letter in last.letters][-1], last.next) == ("id1", None)
        assert sent < 2 * PAGE * 2_500

    def test_a_part_of_them_is_put_back_and_the_rest_not_even_read(self, many, dead):
        oldest = LetterFilter(until=datetime.fromtimestamp(500, UTC))

        number, sent, _ = self.costs(many, lambda: sum(1 for _ in dead.replay_all(oldest)))

        assert (number, many.llen("demo"), dead.count()) == (500, 500, MANY - 500)
        assert sent < 3 * 500 * 2_500


class TestParked:
    @pytest.fixture
    def parked(self, server):
        server.sadd("workerkit:services", "demo", "other")
        server.sadd("worker:demo:parked", "app.tasks.demo.new")
        for number in range(250):
            server.lpush("worker:demo:parked:app.tasks.demo.new", f"demo\nmessage {number}\nsecond line")
        return "app.tasks.demo.new"

    def test_they_are_listed_oldest_first(self, dead, parked):
        messages = list(dead.parked(parked))

        assert [message.raw for message in messages] == [f"message {n}\nsecond line".encode() for n in range(250)]
        assert {(message.service, message.list) for message in messages} == {("demo", "demo")}

    def test_they_are_offered_in_their_order(self, dead, server, parked):
        assert dead.offer(parked) == 250

        assert [server.rpop("demo") for _ in range(2)] == [b"message 0\nsecond line", b"message 1\nsecond line"]
        assert keys(server) == {"demo", "workerkit:services"}
        assert dead.offer(parked) == 0

    def test_a_wrong_list_keeps_them(self, dead, server, parked):
        server.set("demo", "text")

        with pytest.raises(BrokerUnavailable, match="WRONGTYPE"):
            dead.offer(parked)

        assert dead.get_dlq_stats()[0].parked == {parked: 250}

    def test_offered_by_ten_at_once_none_is_doubled(self, letters_valkey, server, parked):
        moved = []

        def offer():
            with TaskClient(letters_valkey.url) as own:
                moved.append(own.dead_letters().offer(parked))

        threads = [threading.Thread(target=offer) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (sum(moved), server.llen("demo"), len(set(server.lrange("demo", 0, -1)))) == (250, 250, 250)

    def test_they_are_discarded(self, dead, server, parked):
        assert dead.discard_parked(parked) == 250
        assert keys(server) == {"workerkit:services"}


class CutReplies:
    """Passes connections on to a server; breaks the first one on which a script is called, before its reply."""

    def __init__(self, port):
        self._target, self.cuts = port, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            while True:
                request = client.recv(1_000_000)
                if not request:
                    return
                server.sendall(request)
                reply = server.recv(1_000_000)
                if b"EVALSHA" in request and reply == b":1\r\n" and not self.cuts:
                    self.cuts = 1
                    return
                client.sendall(reply)


def test_an_unreachable_server_is_said():
    with TaskClient("redis://127.0.0.1:1/0") as away, pytest.raises(BrokerUnavailable, match="names of the services"):
        away.dead_letters().get_dlq_stats()


def _sha1(raw):
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest()
