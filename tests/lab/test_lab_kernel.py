"""The channel to a notebook's kernel, with wake-ups that do not come."""
import asyncio
from queue import Empty

import pytest
import zmq.asyncio
from jupyter_client.session import Session

from lab.kernel import LOOK, LookingChannel


class DeafSocket(zmq.asyncio.Socket):
    """Is never woken: whether a message is there shows only once a wait is over."""

    waits = None  # milliseconds of each wait; declared, as pyzmq takes other names for options

    def poll(self, timeout=None, flags=zmq.POLLIN):
        self.waits.append(timeout)

        async def wait():
            await asyncio.sleep(min(timeout, 20) / 1000)
            return self.get(zmq.EVENTS) & flags
        return wait()


@pytest.fixture
def ask():
    """Function (sent, timeout) -> (content of the message received, milliseconds of each wait)."""
    def run(sent, timeout):
        async def talk():
            context = zmq.asyncio.Context()
            session = Session(key=b"secret")
            with context.socket(zmq.PAIR) as here, DeafSocket(context, zmq.PAIR) as there:
                there.waits = []
                here.bind("inproc://talk")
                there.connect("inproc://talk")
                channel = LookingChannel(there, session)
                waiting = asyncio.create_task(channel.get_msg(timeout))
                await asyncio.sleep(0.05)
                if sent:
                    await here.send_multipart(session.serialize(session.msg("reply", sent)))
                try:
                    message = await waiting
                except Empty:
                    return None, there.waits
                return message["content"], there.waits
        return asyncio.run(talk())
    return run


@pytest.mark.parametrize("timeout", [None, 600])
def test_a_message_that_wakes_nobody_is_found(ask, timeout):
    content, waits = ask({"status": "ok"}, timeout)
    assert content == {"status": "ok"}
    assert len(waits) > 1
    assert max(waits) <= 1000 * LOOK


def test_no_message_is_told_when_the_time_is_over(ask):
    content, waits = ask(None, 0.3)
    assert content is None
    assert max(waits) <= 300
