"""The sets on the hub that papers name, each at one revision.

Paths, revisions, licences and numbers of rows were read out of the task metadata and the descriptive statistics of
mteb 2.26.24 (Apache-2.0), where a licence "not specified" is its word for one that nobody stated.
A set has the name of a local set where it is the same data, if only a part of it: `stsb` here is the test part.
"""

from workbench.corpora import pin
from workbench.corpora.pin import Pinned
from workbench.corpora.pinned_judged import JUDGED

__all__ = ["PINNED", "Pinned"]

ZH, MANY = ("zh",), ("many",)

PINNED: dict[str, Pinned] = {
    **JUDGED,
    "afqmc": pin.sts(
        "C-MTEB/AFQMC", "b44c3b011063adb25877c13823db83bb193913c4", dev=4_316, languages=ZH, scale="0 or 1"
    ),
    "amazon_counterfactual": pin.labels(
        "mteb/amazon_counterfactual",
        "1f7e6a9d6fa6e64c53d146e428565640410c0df1",
        licence="cc-by-4.0",
        test=670,
        dev=335,
        train=4_018,
        config="en",
    ),
    "arxiv_p2p": pin.clusters(
        "mteb/arxiv-clustering-p2p", "a122ad7f3f0291bf49cc6f4d32aa80929df69d5d", licence="cc0-1.0", test=732_723
    ),
    "arxiv_s2s": pin.clusters(
        "mteb/arxiv-clustering-s2s", "f910caf1a6075f7329cdf8c1a6135696f37dbd53", licence="cc0-1.0", test=732_723
    ),
    "atec": pin.sts(
        "C-MTEB/ATEC", "0f319b1142f28d00e055a6770f3f726ae9b7d865", test=20_000, dev=20_000, languages=ZH, scale="0 or 1"
    ),
    "banking77": pin.labels(
        "mteb/banking77", "0fd18e25b25c072e09e0d92ab615fda904d66300", licence="mit", test=3_080, train=10_003
    ),
    "biorxiv_s2s": pin.clusters(
        "mteb/biorxiv-clustering-s2s",
        "258694dd0231531bc1fd9de6ceb52a0853c6d908",
        licence="https://www.biorxiv.org/content/about-biorxiv",
        test=75_000,
    ),
    "biosses": pin.sts("mteb/biosses-sts", "d3fb88f8f02e40887cd149695127462bbcf29b4a", test=100),
    "bq": pin.sts(
        "C-MTEB/BQ", "e3dda5e115e487b39ec7e618c0c6a29137052a55", test=10_000, dev=10_000, languages=ZH, scale="0 or 1"
    ),
    "bucc": pin.bitext("mteb/bucc-bitext-mining", "1739dc11ffe9b7bfccd7f3d585aeb4c544fc6677", test=35_000),
    "cmnli": pin.yes_no("C-MTEB/CMNLI", "41bc36f332156f7adc9e38f53777c959b2ae9766", dev=8_315, languages=ZH),
    "emotion": pin.labels("mteb/emotion", "4f58c6b202a23cf9a4da393831edf4f9183cad37", test=2_000, train=16_000),
    "iflytek": pin.labels(
        "C-MTEB/IFlyTek-classification",
        "421605374b29664c5fc098418fe20ada9bd55f8a",
        dev=2_599,
        train=12_133,
        languages=ZH,
    ),
    "imdb": pin.labels("mteb/imdb", "3d86128a09e091d6018b6d26cad27f2739fc2db7", test=25_000, train=25_000),
    "jdreview": pin.labels(
        "C-MTEB/JDReview-classification",
        "b7c64bd89eb87f8ded463478346f76731f07bf8b",
        test=533,
        train=3_729,
        languages=ZH,
    ),
    "lcqmc": pin.sts(
        "C-MTEB/LCQMC", "17f9b096f80380fce5ed12a9be8be7784b337daf", test=12_500, languages=ZH, scale="0 or 1"
    ),
    "massive_intent": pin.labels(
        "mteb/amazon_massive_intent",
        "4672e20407010da34463acc759c162ca9734bca6",
        licence="apache-2.0",
        test=151_674,
        dev=103_683,
        train=587_214,
        languages=MANY,
    ),
    "massive_scenario": pin.labels(
        "mteb/amazon_massive_scenario",
        "fad2c6e8459f9e1c45d9315f4953d921437d70f8",
        licence="apache-2.0",
        test=151_674,
        dev=103_683,
        train=587_214,
        languages=MANY,
    ),
    "medrxiv_s2s": pin.clusters(
        "mteb/medrxiv-clustering-s2s",
        "35191c8c0dca72d8ff3efcd72aa802307d469663",
        licence="https://www.medrxiv.org/content/about-medrxiv",
        test=37_500,
    ),
    "mtop_domain": pin.labels(
        "mteb/MTOPDomainClassification",
        "a76d16fae880597b9c73047b50159220a441cb54",
        test=4_386,
        dev=2_235,
        train=15_667,
        config="en",
    ),
    "mtop_intent": pin.labels(
        "mteb/MTOPIntentClassification",
        "2992d820f31312593c49a4890430aadadb0f0039",
        test=4_386,
        dev=2_235,
        train=15_667,
        config="en",
    ),
    "multilingual_sentiment_zh": pin.labels(
        "C-MTEB/MultilingualSentiment-classification",
        "46958b007a63fdbf239b7672c25d0bea67b5ea1a",
        licence="mit",
        test=3_000,
        dev=3_000,
        train=120_000,
        languages=ZH,
    ),
    "ocnli": pin.yes_no("C-MTEB/OCNLI", "66e76a618a34d6d565d5538088562851e6daa7ec", dev=1_847, languages=ZH),
    "online_shopping": pin.labels(
        "C-MTEB/OnlineShopping-classification",
        "e610f2ebd179a8fda30ae534c3878750a96db120",
        test=1_000,
        train=8_000,
        languages=ZH,
    ),
    "pawsx_zh": pin.sts(
        "mteb/PAWSX", "bd129d4230ee0551b5469c566bced8da75abae0a", test=2_000, languages=ZH, scale="0 or 1"
    ),
    "qbqtc": pin.sts(
        "C-MTEB/QBQTC", "790b0510dc52b1553e8c49f3d2afb48c0e5c48b7", test=5_000, languages=ZH, scale="0 to 2"
    ),
    "reddit": pin.clusters("mteb/reddit-clustering", "24640382cdbf8abc73003fb0fa6d111a705499eb", test=420_464),
    "sickr": pin.sts(
        "mteb/sickr-sts", "20a6d6f312dd54037fe07a32d58e5e168867909d", licence="cc-by-nc-sa-3.0", test=9_927
    ),
    "sprint_duplicates": pin.yes_no(
        "mteb/sprintduplicatequestions-pairclassification", "d66bd1f72af766a5cc4b0ca5e00c162f89e8cc46", test=101_000
    ),
    "stackexchange": pin.clusters(
        "mteb/stackexchange-clustering", "6cbc1f7b2bc0622f2e39d2c77fa502909748c259", test=373_850
    ),
    "sts12": pin.sts("mteb/sts12-sts", "a0d554a64d88156834ff5ae9920b964011b16384", test=3_108),
    "sts13": pin.sts("mteb/sts13-sts", "7e90230a92c190f1bf69ae9002b8cea547a64cca", test=1_500),
    "sts14": pin.sts("mteb/sts14-sts", "6031580fec1f6af667f0bd2da0a551cf4f0b2375", test=3_750),
    "sts15": pin.sts("mteb/sts15-sts", "ae752c7c21bf194d8b67fd573edf7ae58183cbe3", test=3_000),
    "sts16": pin.sts("mteb/sts16-sts", "4d8694f8f0e0100860b497b999b3dbed754a0513", test=1_186),
    "sts17": pin.sts(
        "mteb/sts17-crosslingual-sts", "faeb762787bd10488a50c8b5be4a3b82e411949c", test=5_346, languages=MANY
    ),
    "sts22": pin.sts(
        "mteb/sts22-crosslingual-sts",
        "de9d86b3b84231dc21f76c7b7af1f28e2f57f6e3",
        test=4_028,
        languages=MANY,
        scale="1 to 4",
    ),
    "stsb": pin.sts("mteb/stsbenchmark-sts", "b0fddb56ed78048fa8b90373c8a3cfc37b684831", test=1_379),
    "stsb_zh": pin.sts("mteb/STSB", "e036defee8f190911de6fc825a944b928c8cda53", test=1_361, dev=1_458, languages=ZH),
    "tatoeba_bitext": pin.bitext(
        "mteb/tatoeba-bitext-mining", "69e8f12da6e31d59addadda9a9c8a2e601a0e282", licence="cc-by-2.0", test=88_877
    ),
    "tnews": pin.labels(
        "C-MTEB/TNews-classification",
        "317f262bf1e6126357bbe89e875451e4b0938fe4",
        dev=10_000,
        train=53_360,
        languages=ZH,
    ),
    "toxic_conversations": pin.labels(
        "mteb/toxic_conversations_50k",
        "edfaf9da55d3dd50d43143d90c1ac476895ae6de",
        licence="cc-by-4.0",
        test=None,
        train=50_000,
    ),
    "tweet_sentiment": pin.labels(
        "mteb/tweet_sentiment_extraction", "d604517c81ca91fe16a244d1248fc021f9ecee7a", test=3_534, train=27_481
    ),
    "twenty_newsgroups": pin.clusters(
        "mteb/twentynewsgroups-clustering", "6125ec4e24fa026cec8a478383ee943acfbd5449", test=59_545
    ),
    "twitter_semeval2015": pin.yes_no(
        "mteb/twittersemeval2015-pairclassification", "70970daeab8776df92f5ea462b6173c0b46fd2d1", test=16_777
    ),
    "twitter_url": pin.yes_no(
        "mteb/twitterurlcorpus-pairclassification", "8b6510b0b1fa4e4c4f879467980e9be563ec1cdf", test=51_534
    ),
    "waimai": pin.labels(
        "C-MTEB/waimai-classification",
        "339287def212450dcaa9df8c22bf93e9980c7023",
        test=1_000,
        train=8_000,
        languages=ZH,
    ),
}
