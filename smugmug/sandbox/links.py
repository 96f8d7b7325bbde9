"""The links SmugMug puts under `Uris`: name, address, locator, its type, description.

One table per kind of object; the second half of each is what only the owner is shown. Most of them lead to
endpoints the stand-in does not have (404), as a client must expect of any link it does not know.
"""

Link = dict[str, str]
Table = dict[str, tuple[str, ...]]


def links(table: Table, **values: str) -> dict[str, Link]:
    """The `Uris` of one object: every address of the table filled with the object's own keys."""
    return {name: _link(name, row, values) for name, row in table.items()}


def _link(name: str, row: tuple[str, ...], values: dict[str, str]) -> Link:
    address, locator, locator_type, description, *endpoint = row
    link = {"Uri": address.format_map(values)}
    if locator:  # an action that answers with no object has none
        link |= {"Locator": locator, "LocatorType": locator_type}
    return link | {"UriDescription": description, "EndpointType": endpoint[0] if endpoint else name}


USER: Table = {
    "BioImage": ("/api/v2/user/{user}!bioimage", "BioImage", "Object", "User BioImage"),
    "CoverImage": ("/api/v2/user/{user}!coverimage", "CoverImage", "Object", "User CoverImage"),
    "UserProfile": ("/api/v2/user/{user}!profile", "UserProfile", "Object", "User's profile information"),
    "Node": ("/api/v2/node/{node}", "Node", "Object", "Node with the given id."),
    "Folder": (
        "/api/v2/folder/user/{user}",
        "Folder",
        "Object",
        "A folder or legacy (sub)category by UrlPath",
    ),
    "Features": ("/api/v2/user/{user}!features", "Features", "Object", "User's account features information"),
    "SiteSettings": ("/api/v2/user/{user}!sitesettings", "SiteSettings", "Object", "User site settings"),
    "UserAlbums": ("/api/v2/user/{user}!albums", "Album", "Objects", "All of user's albums"),
    "UserCollections": (
        "/api/v2/user/{user}!collections",
        "Collection",
        "Objects",
        "All of user's collections",
    ),
    "UserGeoMedia": ("/api/v2/user/{user}!geomedia", "Image", "Objects", "Geotagged images for user"),
    "UserPopularMedia": ("/api/v2/user/{user}!popularmedia", "Image", "Objects", "User's popular images"),
    "UserFeaturedAlbums": (
        "/api/v2/user/{user}!featuredalbums",
        "Album",
        "Objects",
        "User's featured albums",
    ),
    "UserRecentImages": ("/api/v2/user/{user}!recentimages", "Image", "Objects", "User's recent images"),
    "UserImageSearch": ("/api/v2/user/{user}!imagesearch", "Image", "Objects", "Search for user images"),
    "UserTopKeywords": (
        "/api/v2/user/{user}!topkeywords",
        "UserTopKeywords",
        "Object",
        "User's top keywords",
    ),
    "UrlPathLookup": (
        "/api/v2/user/{user}!urlpathlookup",
        "Folder,Album,Page",
        "Object",
        "Lookup user's folder, album, or page by path",
    ),
}

OWNER: Table = {
    **USER,
    "DuplicateImageSearch": (
        "/api/v2/user/{user}!duplicateimagesearch",
        "Image",
        "Objects",
        "Searches for duplicate images for a user.",
    ),
    "SortUserFeaturedAlbums": (
        "/api/v2/user/{user}!sortfeaturedalbums",
        "",
        "",
        "Change the ordering of the user's featured albums",
    ),
    "UserAlbumTemplates": (
        "/api/v2/user/{user}!albumtemplates",
        "AlbumTemplate",
        "Objects",
        "User's album templates",
    ),
    "UserAssetsAlbum": ("/api/v2/user/{user}!assetsalbum", "Album", "Object", "User Site Assets Albums"),
    "UserContacts": ("/api/v2/user/{user}!contacts", "Contact", "Objects", "User's contacts"),
    "UserCoupons": ("/api/v2/user/{user}!coupons", "UserCoupon", "Objects", "List User Coupons"),
    "UserDeletedAlbums": (
        "/api/v2/user/{user}!deletedalbums",
        "DeletedAlbum",
        "Objects",
        "User's deleted albums",
    ),
    "UserDeletedFolders": (
        "/api/v2/user/{user}!deletedfolders",
        "DeletedFolder",
        "Objects",
        "User's deleted folders",
    ),
    "UserDeletedPages": (
        "/api/v2/user/{user}!deletedpages",
        "DeletedPage",
        "Objects",
        "User's deleted pages",
    ),
    "UserGrants": ("/api/v2/user/{user}!grants", "Grant", "Objects", "User's grants"),
    "UserGuideStates": (
        "/api/v2/user/{user}!guides",
        "UserGuideState",
        "Objects",
        "User's progress through walkthrough guides",
    ),
    "UserHideGuides": (
        "/api/v2/user/{user}!hideguides",
        "UserHideGuides",
        "Object",
        "Hide guides from the user for a period of time",
    ),
    "UserLatestQuickNews": (
        "/api/v2/user/{user}!latestquicknews",
        "QuickNews",
        "Objects",
        "List Lastest QuickNews for User",
    ),
    "UserPrintmarks": ("/api/v2/user/{user}!printmarks", "Printmark", "Objects", "User's printmarks"),
    "UserTasks": ("/api/v2/user/{user}!tasks", "Task", "Objects", "Background tasks associated with a user"),
    "UserUploadLimits": (
        "/api/v2/user/{user}!uploadlimits",
        "UserUploadLimits",
        "List",
        "User's upload limits",
    ),
    "UserWatermarks": ("/api/v2/user/{user}!watermarks", "Watermark", "Objects", "User's watermarks"),
}

ALBUM: Table = {
    "AlbumShareUris": (
        "/api/v2/album/{album}!shareuris",
        "AlbumShareUris",
        "Object",
        "URIs that are useful for sharing",
    ),
    "Node": ("/api/v2/node/{node}", "Node", "Object", "Node with the given id."),
    "NodeCoverImage": (
        "/api/v2/node/{node}!cover",
        "Image",
        "Object",
        "Cover image for a folder, album, or page",
    ),
    "User": ("/api/v2/user/{user}", "User", "Object", "User By Nickname"),
    "Folder": (
        "/api/v2/folder/user/{user}",
        "Folder",
        "Object",
        "A folder or legacy (sub)category by UrlPath",
    ),
    "ParentFolders": (
        "/api/v2/folder/user/{user}!parents",
        "Folder",
        "Objects",
        "The sequence of parent folders, from the given folder to the root",
    ),
    "HighlightImage": (
        "/api/v2/highlight/node/{node}",
        "Image",
        "Object",
        "Highlight image for a folder, album, or page",
    ),
    "AlbumHighlightImage": (
        "/api/v2/album/{album}!highlightimage",
        "AlbumImage",
        "Object",
        "Highlight image for album",
    ),
    "AlbumImages": ("/api/v2/album/{album}!images", "AlbumImage", "Objects", "Images from album"),
    "AlbumPopularMedia": (
        "/api/v2/album/{album}!popularmedia",
        "AlbumImage",
        "Objects",
        "Popular images from album",
    ),
    "AlbumGeoMedia": (
        "/api/v2/album/{album}!geomedia",
        "AlbumImage",
        "Objects",
        "Geotagged images from album",
    ),
    "AlbumComments": ("/api/v2/album/{album}!comments", "Comment", "Objects", "Comments on album"),
    "AlbumDownload": ("/api/v2/album/{album}!download", "Download", "Objects", "Download album"),
    "AlbumPrices": ("/api/v2/album/{album}!prices", "CatalogSkuPrice", "Objects", "Purchasable Skus"),
    "AlbumPricelistExclusions": (
        "/api/v2/album/{album}!pricelistexclusions",
        "AlbumPricelistExclusions",
        "Object",
        "Pricelist information for an Album",
    ),
}

OWN_ALBUM: Table = {
    **ALBUM,
    "MoveAlbumImages": ("/api/v2/album/{album}!moveimages", "", "", "Move images into album"),
    "CollectImages": ("/api/v2/album/{album}!collectimages", "", "", "Collect images into album"),
    "ApplyAlbumTemplate": (
        "/api/v2/album/{album}!applyalbumtemplate",
        "ApplyAlbumTemplate",
        "Object",
        "Apply an album template",
    ),
    "DeleteAlbumImages": ("/api/v2/album/{album}!deleteimages", "", "", "Delete album images"),
    "UploadFromUri": (
        "/api/v2/album/{album}!uploadfromuri",
        "",
        "",
        "Upload a photo or video from elsewhere on the web",
    ),
    "AlbumGrants": ("/api/v2/album/{album}!grants", "Grant", "Objects", "Grants for the Album"),
}

LOCKED_ALBUM: Table = {
    **{name: ALBUM[name] for name in ("Node", "NodeCoverImage", "User", "Folder", "ParentFolders", "HighlightImage")},
    "UnlockAlbum": ("/api/v2/album/{album}!unlock", "", "", "Unlock album"),
}

VIDEO: Table = {
    "LargestVideo": (
        "/api/v2/image/{image}!largestvideo",
        "LargestVideo",
        "Object",
        "Largest video size available for image",
    ),
}

IMAGE: Table = {
    "LargestImage": (
        "/api/v2/image/{image}!largestimage",
        "LargestImage",
        "Object",
        "Largest size available for image",
    ),
    "ImageSizes": ("/api/v2/image/{image}!sizes", "ImageSizes", "Object", "Sizes available for image"),
    "ImageSizeDetails": (
        "/api/v2/image/{image}!sizedetails",
        "ImageSizeDetails",
        "Object",
        "Detailed size information for image",
    ),
    "PointOfInterest": (
        "/api/v2/image/{image}!pointofinterest",
        "PointOfInterest",
        "Object",
        "Point of interest for image",
    ),
    "PointOfInterestCrops": (
        "/api/v2/image/{image}!poicrops",
        "PointOfInterestCrops",
        "List",
        "PointOfInterest Crops for image",
    ),
    "Regions": ("/api/v2/image/{image}!regions", "Region", "Objects", "Regions for image"),
    "ImageComments": ("/api/v2/image/{image}!comments", "Comment", "Objects", "Comments on image"),
    "ImageMetadata": ("/api/v2/image/{image}!metadata", "ImageMetadata", "Object", "Metadata for image"),
    "ImagePrices": ("/api/v2/image/{image}!prices", "CatalogSkuPrice", "Objects", "Purchasable Skus"),
    "ImagePricelistExclusions": (
        "/api/v2/image/{image}!pricelistexclusions",
        "ImagePricelistExclusions",
        "Object",
        "Pricelist information for an image",
    ),
}

OWN_IMAGE: Table = {
    **IMAGE,
    "ImageAlbum": ("/api/v2/album/{home}", "Album", "Object", "Album by key", "Album"),
    "ImageOwner": ("/api/v2/user/{user}", "User", "Object", "User By Nickname", "User"),
    "ImageAlbums": ("/api/v2/image/{image}!albums", "Album", "Objects", "Albums the image is included in"),
    "ImageDownload": ("/api/v2/image/{image}!download", "ImageDownload", "Object", "Download image"),
    "RotateImage": ("/api/v2/image/{image}!rotate", "", "", "Rotate an image"),
    "ColorImage": ("/api/v2/image/{image}!color", "ColorImage", "Object", "Color an image"),
    "CopyImage": ("/api/v2/image/{image}!copy", "", "", "Copy an image"),
    "CropImage": ("/api/v2/image/{image}!crop", "", "", "Crop an image"),
}

ALBUM_IMAGE: Table = {
    "Album": ("/api/v2/album/{album}", "Album", "Object", "Album by key"),
    "Image": ("/api/v2/image/{image}", "Image", "Object", "Image by key"),
    "AlbumImagePricelistExclusions": (
        "/api/v2/album/{album}/image/{image}!pricelistexclusions",
        "AlbumImagePricelistExclusions",
        "Object",
        "Pricelist information for an album image",
    ),
    "AlbumImageMetadata": (
        "/api/v2/album/{album}/image/{image}!metadata",
        "AlbumImageMetadata",
        "Object",
        "Metadata for AlbumImage",
    ),
    "AlbumImageShareUris": (
        "/api/v2/album/{album}/image/{image}!shareuris",
        "AlbumImageShareUris",
        "Object",
        "URIs that are useful for sharing",
    ),
}

OWN_ALBUM_IMAGE: Table = {
    **ALBUM_IMAGE,
    "AlbumImageDownload": (
        "/api/v2/album/{album}/image/{image}!download",
        "AlbumImageDownload",
        "Object",
        "Download the image from the album",
    ),
}
